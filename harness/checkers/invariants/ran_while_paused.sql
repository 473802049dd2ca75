-- claim: An instance that is paused orders nothing and does not end, until it takes in a resume or a terminate.
-- layer: engine
-- needs: pauses
-- examined: SELECT count(*) FROM history WHERE event = 'executionSuspended'
-- plants: UPDATE history SET event = 'executionSuspended' WHERE (instance_id, position) = (
--   SELECT min((resumes.instance_id, resumes.position)) FROM history AS resumes
--   JOIN history AS ends ON ends.instance_id = resumes.instance_id AND ends.position > resumes.position
--   JOIN history AS pauses ON pauses.instance_id = resumes.instance_id AND pauses.position < resumes.position
--   WHERE resumes.event = 'executionResumed' AND ends.event = 'executionCompleted' AND pauses.event = 'executionSuspended')
-- source: Dapr's "Workflow management" (a suspended workflow processes no events until it is resumed); the SDKs keep what comes meanwhile until the resume. A turn may take in something before the pause, and order what follows from that.
-- witness: {instance_id} was paused when its turn at position {turn_position} began ({at_ns:at}), took in no resume, and {fault}.
WITH paused AS (
    SELECT DISTINCT instance_id FROM history WHERE event = 'executionSuspended'
), seen AS (
    SELECT
        history.instance_id,
        history.position,
        history.event,
        history.at_ns,
        max(CASE WHEN history.event = 'workflowStarted' THEN history.position END) OVER before AS turn_position,
        max(CASE WHEN history.event = 'executionSuspended' THEN history.position ELSE -1 END) OVER before
            > max(CASE WHEN history.event = 'executionResumed' THEN history.position ELSE -1 END) OVER before AS is_paused
    FROM history
    JOIN paused ON paused.instance_id = history.instance_id
    WINDOW before AS (PARTITION BY history.instance_id ORDER BY history.position)
), turns AS (
    SELECT
        instance_id,
        turn_position,
        min(CASE WHEN event = 'workflowStarted' THEN at_ns END) AS at_ns,
        max(CASE WHEN event = 'workflowStarted' AND is_paused THEN 1 ELSE 0 END) AS began_paused,
        max(CASE WHEN event IN ('executionResumed', 'executionTerminated') THEN 1 ELSE 0 END) AS woken,
        min(
            CASE
                WHEN event IN (
                    'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent',
                    'executionCompleted'
                ) THEN position
            END
        ) AS moved
    FROM seen
    GROUP BY instance_id, turn_position
)
SELECT
    turns.instance_id,
    turns.turn_position,
    turns.at_ns,
    'its ' || history.event || ' is at position ' || turns.moved AS fault
FROM turns
JOIN history ON history.instance_id = turns.instance_id AND history.position = turns.moved
WHERE turns.began_paused = 1 AND turns.woken = 0
ORDER BY turns.instance_id, turns.turn_position
