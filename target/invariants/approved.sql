-- claim: An order that waits for an approval is processed if the approval came before the time-out, and not otherwise: never do both win. It says at its end which approval that was, the first that came; one that was acknowledged before the time-out counts.
-- layer: app
-- workflows: approve_order_v1
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED' AND workflow = 'approve_order_v1'
-- plants: UPDATE instances SET outcome = 'timed_out' WHERE instance_id = (SELECT min(instance_id) FROM instances
--   WHERE workflow = 'approve_order_v1' AND outcome = 'completed');
--   UPDATE instances SET outcome = 'completed' WHERE instance_id = (SELECT min(instance_id) FROM instances
--   WHERE workflow = 'approve_order_v1' AND outcome = 'timed_out');
--   UPDATE history SET payload = '{"number": 7}' WHERE event = 'eventRaised' AND instance_id = (SELECT min(instance_id)
--   FROM instances WHERE workflow = 'approve_order_v1' AND outcome = 'completed')
-- source: target/approval.py. The first that it orders is the timer of the time-out, which is due `seconds` after its first turn. An event that was acknowledged is a row of the inbox (Dapr 1.18 orchestrator/add.go), and a turn takes in the inbox before the timer that woke it (orchestrator/run.go). A difference of one millisecond is allowed between the clocks of two processes.
-- witness: {instance_id} says {outcome:or}: {what}.
WITH ended AS (
    SELECT
        instances.instance_id,
        instances.outcome,
        instances.created_ns,
        json_extract_string(instances.output, '$.approval') AS approval
    FROM instances
    WHERE instances.status = 'COMPLETED' AND instances.workflow = 'approve_order_v1' AND instances.generation = 1
), waits AS (
    SELECT
        history.instance_id,
        json_extract(max(CASE WHEN history.event = 'executionStarted' THEN history.payload END), '$.seconds')::DOUBLE AS seconds,
        min(CASE WHEN history.event IN ('taskScheduled', 'timerCreated') THEN history.task_id END) AS first_id,
        min(CASE WHEN history.event = 'taskScheduled' THEN history.position END) AS ordered_at,
        min(CASE WHEN history.event = 'eventRaised' AND lower(history.name) = 'approval' THEN history.position END) AS approved_at
    FROM history
    JOIN ended ON ended.instance_id = history.instance_id
    GROUP BY history.instance_id
), timers AS (
    SELECT
        waits.instance_id,
        min(CASE WHEN history.event = 'timerCreated' THEN history.fire_at_ns END) AS due_ns,
        min(CASE WHEN history.event = 'timerFired' THEN history.position END) AS fired_at,
        min(CASE WHEN history.event = 'timerFired' THEN history.at_ns END) AS fired_ns
    FROM waits
    JOIN history ON history.instance_id = waits.instance_id AND history.task_id = waits.first_id
    WHERE history.event IN ('timerCreated', 'timerFired')
    GROUP BY waits.instance_id
), first_approvals AS (
    SELECT waits.instance_id, json_extract_string(history.payload, '$.number') AS number
    FROM waits
    JOIN history ON history.instance_id = waits.instance_id AND history.position = waits.approved_at
), acknowledged AS (
    SELECT instance_id, min(completed_ns) AS answered_ns
    FROM requests
    WHERE operation = 'raiseEvent' AND lower(name) = 'approval' AND outcome = 'ok'
    GROUP BY instance_id
), judged AS (
    SELECT
        ended.instance_id,
        ended.outcome,
        CASE
            WHEN timers.due_ns IS NULL OR timers.due_ns < ended.created_ns + waits.seconds * 1000000000 - 1000000
                THEN 'its time-out is not there, or is due too early'
            WHEN ended.outcome = 'timed_out' AND waits.ordered_at IS NOT NULL THEN 'it went on all the same'
            WHEN ended.outcome = 'timed_out' AND timers.fired_at IS NULL THEN 'its history has no time-out'
            WHEN ended.outcome = 'timed_out' AND waits.approved_at < timers.fired_at THEN 'its approval came before the time-out'
            WHEN ended.outcome = 'timed_out' AND acknowledged.answered_ns < timers.fired_ns - 1000000
                THEN 'its approval was acknowledged before the time-out'
            WHEN ended.outcome = 'timed_out' THEN NULL
            WHEN waits.approved_at IS NULL THEN 'nobody approved it'
            WHEN timers.fired_at < waits.approved_at THEN 'its time-out came before the approval'
            WHEN waits.ordered_at IS NULL THEN 'it did not go on'
            WHEN waits.ordered_at < waits.approved_at THEN 'it went on before its approval'
            WHEN ended.approval IS DISTINCT FROM first_approvals.number
                THEN 'it has the approval ' || coalesce(ended.approval, 'none') || ', and the first was ' || coalesce(first_approvals.number, 'none')
        END AS what
    FROM ended
    LEFT JOIN waits ON waits.instance_id = ended.instance_id
    LEFT JOIN timers ON timers.instance_id = ended.instance_id
    LEFT JOIN first_approvals ON first_approvals.instance_id = ended.instance_id
    LEFT JOIN acknowledged ON acknowledged.instance_id = ended.instance_id
)
SELECT instance_id, outcome, what
FROM judged
WHERE what IS NOT NULL
ORDER BY instance_id, what
