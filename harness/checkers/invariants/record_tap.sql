-- claim: The tap recorded each delivery and each call as they happen: of an app of the run, once, from a beginning to an end, with an outcome if and only if there was an answer, and a call of state with what such a call has; and where attempts are made of deliveries, both say the same.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM deliveries) + (SELECT count(*) FROM api_calls)
-- needs: activities, tap
-- plants: UPDATE deliveries SET completed_ns = delivered_ns - 1 WHERE attempt_id = (SELECT min(attempt_id) FROM deliveries WHERE completed_ns IS NOT NULL);
--   UPDATE deliveries SET outcome = NULL WHERE attempt_id = (SELECT min(attempt_id) FROM deliveries WHERE completed_ns IS NOT NULL);
--   UPDATE deliveries SET node = 'sidecar-0' WHERE attempt_id = (SELECT min(attempt_id) FROM deliveries);
--   UPDATE api_calls SET answered_ns = called_ns - 1 WHERE call_id = (SELECT min(call_id) FROM api_calls WHERE answered_ns IS NOT NULL);
--   UPDATE api_calls SET position = position + 1 WHERE call_id = (SELECT min(call_id) FROM api_calls);
--   UPDATE api_calls SET component = NULL WHERE call_id = (SELECT min(call_id) FROM api_calls WHERE operation = 'save')
-- source: docs/tap.md, and harness/evidence/schema.py. The files of older versions have no `guarded`.
-- witness: {place} {id:or}: {fault}.
WITH doubted AS (
    SELECT
        'the delivery' AS place,
        attempt_id AS id,
        CASE
            WHEN NOT starts_with(node, 'app-') OR node NOT IN (SELECT node FROM nodes) THEN 'it went to ' || node || ', which is no replica of the app'
            WHEN completed_ns < delivered_ns THEN 'it was answered before it came'
            WHEN cut_ns < delivered_ns THEN 'it was cut off before it came'
            WHEN completed_ns < cut_ns THEN 'it was answered, and then cut off before its answer'
            WHEN (outcome IS NULL) <> (completed_ns IS NULL) THEN 'it has an answer without an outcome, or an outcome without an answer'
            WHEN outcome NOT IN ('ok', 'error') THEN 'it was answered with ' || outcome
            WHEN outcome IS DISTINCT FROM 'error' AND detail IS NOT NULL THEN 'it did not fail and has an error'
            WHEN outcome = 'error' AND detail IS NULL THEN 'it failed and has no error'
        END AS fault
    FROM deliveries
    UNION ALL
    SELECT
        'the call',
        call_id,
        CASE
            WHEN NOT starts_with(node, 'app-') OR node NOT IN (SELECT node FROM nodes) THEN 'it came from ' || node || ', which is no replica of the app'
            WHEN answered_ns < called_ns THEN 'it was answered before it was made'
            WHEN status IS NOT NULL AND answered_ns IS NULL THEN 'it has a status and no answer'
            WHEN operation NOT IN ('get', 'save', 'delete', 'publish', 'invoke', 'bind') THEN 'it is of an unknown operation, ' || operation
            WHEN operation IN ('get', 'save', 'delete') AND (component IS NULL OR key IS NULL) THEN 'it is of state, and its store or its key is missing'
            WHEN operation IS NULL AND coalesce(component, key) IS NOT NULL THEN 'it has a component or a key, and no operation'
            WHEN guarded IS NOT NULL AND coalesce(operation NOT IN ('save', 'delete'), TRUE) THEN 'it saves nothing, and is said to be refused after another save'
            WHEN guarded IS NULL AND operation IN ('save', 'delete') AND EXISTS (SELECT 1 FROM api_calls WHERE guarded IS NOT NULL)
                THEN 'it saves, and it is not said whether it is refused after another save'
        END
    FROM api_calls
), delivered AS (
    SELECT instance_id, activity, task_id, attempt_id, node, delivered_ns AS began_ns, completed_ns AS done_ns, outcome, detail
    FROM deliveries, promised
    WHERE NOT promised.by_file AND promised.copies = 1
), made AS (
    SELECT instance_id, activity, task_id, attempt_id, node, started_ns AS began_ns, ended_ns AS done_ns, outcome, detail
    FROM attempts, promised
    WHERE NOT promised.by_file AND promised.copies = 1
)
SELECT place, id, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT 'the delivery', attempt_id, 'it is told ' || count(*) || ' times'
FROM deliveries
GROUP BY attempt_id
HAVING count(*) > 1
UNION ALL
SELECT 'the call', call_id, 'its keys are not numbered from 0 without a gap'
FROM api_calls
GROUP BY call_id
HAVING count(*) <> max(position) + 1 OR count(DISTINCT position) <> count(*)
UNION ALL
SELECT 'the delivery', attempt_id, 'the attempts, which are made of the deliveries, say something else'
FROM (
    (SELECT * FROM delivered EXCEPT SELECT * FROM made) UNION (SELECT * FROM made EXCEPT SELECT * FROM delivered)
) AS different
ORDER BY place, id, fault
