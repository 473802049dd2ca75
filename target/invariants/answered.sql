-- claim: An order waits for everything that it asks for: when it has ended, each of its tasks has a result or has failed, and no timer is left but that of a wait for an event.
-- layer: app
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED'
-- plants: UPDATE history SET event = 'eventRaised' WHERE event = 'taskCompleted'
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE status = 'COMPLETED')
-- source: target/approval.py (the time-out of a wait is its first order, and is left when the event comes first), target/workflows.py (each call is yielded, or is one of a list that when_all waits for).
-- witness: {instance_id} has ended, and {what} {task_id} ({name:or}) has no result.
WITH ended AS (
    SELECT instances.instance_id
    FROM instances
    JOIN histories ON histories.instance_id = instances.instance_id
    WHERE instances.status = 'COMPLETED' AND (NOT histories.orderly OR histories.unanswered > 0)
), ordered AS (
    SELECT instance_id, task_id, name, CASE event WHEN 'taskScheduled' THEN 'task' ELSE 'timer' END AS what
    FROM history
    WHERE event IN ('taskScheduled', 'timerCreated') AND instance_id IN (SELECT instance_id FROM ended)
    EXCEPT
    SELECT history.instance_id, history.task_id, history.name, 'timer'
    FROM history
    JOIN (
        SELECT waiting.instance_id, min(waiting.task_id) AS first_id
        FROM history AS waiting
        JOIN instances ON instances.instance_id = waiting.instance_id
        WHERE waiting.event IN ('taskScheduled', 'timerCreated') AND instances.workflow = 'approve_order_v1'
        GROUP BY waiting.instance_id
    ) AS waits ON waits.instance_id = history.instance_id AND waits.first_id = history.task_id
    WHERE history.event = 'timerCreated'
), over AS (
    SELECT instance_id, task_id, CASE event WHEN 'timerFired' THEN 'timer' ELSE 'task' END AS what
    FROM history
    WHERE event IN ('taskCompleted', 'taskFailed', 'timerFired') AND instance_id IN (SELECT instance_id FROM ended)
)
SELECT ordered.instance_id, ordered.task_id, ordered.name, ordered.what
FROM ordered
ANTI JOIN over ON over.instance_id = ordered.instance_id AND over.task_id = ordered.task_id AND over.what = ordered.what
ORDER BY ordered.instance_id, ordered.task_id, ordered.what
