-- claim: What was acknowledged to a client reaches the instance: the history has the event that was raised, the pause, the resume, the terminate, unless the instance ended before it could be taken in.
-- layer: engine
-- needs: taken
-- examined: SELECT count(*)
--   FROM requests
--   JOIN instances ON instances.instance_id = requests.instance_id
--   WHERE requests.operation IN (SELECT operation FROM becomes) AND requests.outcome = 'ok' AND instances.completed_ns IS NOT NULL
-- plants: DELETE FROM history
--   WHERE event IN ('eventRaised', 'executionSuspended', 'executionResumed', 'executionTerminated') AND instance_id = (
--   SELECT min(requests.instance_id) FROM requests
--   JOIN instances ON instances.instance_id = requests.instance_id AND instances.completed_ns IS NOT NULL AND instances.generation = 1
--   WHERE requests.operation IN ('raiseEvent', 'pause', 'resume', 'terminate') AND requests.outcome = 'ok' AND requests.completed_ns
--   < (SELECT max(at_ns) FROM history WHERE history.instance_id = requests.instance_id AND history.event = 'workflowStarted') - 1000000)
-- source: Dapr 1.18 orchestrator/add.go (a request is answered once its event is a row of the inbox) and orchestrator/run.go (a turn takes in the whole inbox; the first event of a turn, workflowStarted, has the time of its begin). So an event that was acknowledged before the last turn began must be in the history; one that was acknowledged later came too late. An instance in a later generation has lost its earlier history. A difference of one millisecond is allowed between the clocks of two processes.
-- witness: {instance_id}: {operation} {name:or} was sent at {invoked_ns:at} ({request_id}) and acknowledged at {completed_ns:at}, and its last turn began at {turn_ns:at}; its history has {found} of the {acknowledged} that were acknowledged before that.
WITH ended AS (
    SELECT history.instance_id, max(history.at_ns) AS turn_ns
    FROM history
    JOIN instances ON instances.instance_id = history.instance_id
    WHERE history.event = 'workflowStarted'
        AND instances.completed_ns IS NOT NULL
        AND instances.generation = 1
        AND history.instance_id IN (SELECT instance_id FROM requests)
    GROUP BY history.instance_id
), in_time AS (
    SELECT
        requests.instance_id,
        requests.operation,
        requests.name,
        ended.turn_ns,
        count(*) AS acknowledged,
        max(requests.completed_ns) AS completed_ns,
        arg_max(requests.invoked_ns, requests.completed_ns) AS invoked_ns,
        arg_max(requests.request_id, requests.completed_ns) AS request_id
    FROM requests
    JOIN ended ON ended.instance_id = requests.instance_id
    WHERE requests.operation IN (SELECT operation FROM becomes)
        AND requests.outcome = 'ok'
        AND requests.completed_ns < ended.turn_ns - 1000000
    GROUP BY requests.instance_id, requests.operation, requests.name, ended.turn_ns
), taken AS (
    -- Names of events are compared without regard to case, as the SDKs do.
    SELECT
        history.instance_id,
        becomes.operation,
        CASE WHEN becomes.operation = 'raiseEvent' THEN lower(history.name) END AS name,
        count(*) AS found
    FROM history
    JOIN becomes ON becomes.event = history.event
    GROUP BY 1, 2, 3
)
SELECT
    in_time.instance_id,
    in_time.operation,
    in_time.name,
    in_time.request_id,
    in_time.invoked_ns,
    in_time.completed_ns,
    in_time.turn_ns,
    in_time.acknowledged,
    coalesce(taken.found, 0) AS found
FROM in_time
LEFT JOIN taken
    ON taken.instance_id = in_time.instance_id
    AND taken.operation = in_time.operation
    AND taken.name IS NOT DISTINCT FROM lower(in_time.name)
WHERE coalesce(taken.found, 0) < in_time.acknowledged
ORDER BY in_time.instance_id, in_time.operation, in_time.name
