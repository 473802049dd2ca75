-- claim: Every instance that the engine has ends within the settle time after the last fault was healed.
-- layer: not decided
-- examined: SELECT count(*) FROM classes WHERE stored AND (SELECT settled FROM run)
-- catches: end_undone, task_forgotten
-- source: an instance that the engine stalls has the reason in its history (Dapr 1.18 orchestrator/versioning.go); it goes on once a worker has the version or the patches that it needs. If the last task of an instance was executed only before the engine recorded it as scheduled, the engine discarded that result and never asked for another (docs/findings.md, 1); then the layer is engine. Otherwise the evidence does not decide.
-- witness: {instance_id} was started at {created_ns:at} and is still {status} after the settle time; the engine's last event is {event} {name:or} at {at_ns:at}{because}; the ledger holds {ledger}.
WITH waiting AS (
    SELECT history.instance_id, history.position, history.event, history.name, history.task_id, history.at_ns, history.error
    FROM history
    JOIN (SELECT DISTINCT instance_id FROM classes WHERE stuck) AS still ON still.instance_id = history.instance_id
), last AS (
    SELECT
        waiting.instance_id,
        max(waiting.event) AS event,
        max(waiting.name) AS name,
        max(CASE WHEN waiting.event = 'executionStalled' THEN waiting.error END) AS stalled,
        max(waiting.at_ns) AS at_ns
    FROM waiting
    JOIN (SELECT instance_id, max(position) AS position FROM waiting GROUP BY instance_id) AS ends
        ON ends.instance_id = waiting.instance_id AND ends.position = waiting.position
    GROUP BY waiting.instance_id
), open AS (
    SELECT tasks.instance_id, max(tasks.position) AS position
    FROM waiting AS tasks
    LEFT JOIN waiting AS results
        ON results.instance_id = tasks.instance_id
        AND results.task_id = tasks.task_id
        AND results.event IN ('taskCompleted', 'taskFailed')
        AND results.position > tasks.position
    WHERE tasks.event = 'taskScheduled' AND results.instance_id IS NULL
    GROUP BY tasks.instance_id
), forgotten AS (
    SELECT tasks.instance_id, max(tasks.task_id) AS task_id
    FROM open
    JOIN waiting AS tasks ON tasks.instance_id = open.instance_id AND tasks.position = open.position
    JOIN attempts ON attempts.instance_id = tasks.instance_id AND attempts.task_id = tasks.task_id
    GROUP BY tasks.instance_id
    HAVING max(attempts.started_ns) < min(tasks.at_ns)
)
SELECT
    classes.instance_id,
    classes.created_ns,
    classes.status,
    last.event,
    last.name,
    last.at_ns,
    CASE WHEN forgotten.instance_id IS NULL THEN 'not decided' ELSE 'engine' END AS layer,
    CASE
        WHEN last.stalled IS NOT NULL THEN ', and it was stalled: ' || last.stalled
        WHEN forgotten.instance_id IS NULL THEN ''
        ELSE ', and task ' || forgotten.task_id || ' was executed only before it was recorded as scheduled'
    END AS because
FROM classes
LEFT JOIN last ON last.instance_id = classes.instance_id
LEFT JOIN forgotten ON forgotten.instance_id = classes.instance_id
WHERE classes.stuck
ORDER BY classes.instance_id
