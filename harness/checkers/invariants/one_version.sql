-- claim: An instance goes on as the version of its workflow with which it began: its first turn says as which, and no later turn says another.
-- layer: not decided
-- needs: versions
-- examined: SELECT count(DISTINCT instance_id) FROM history WHERE version IS NOT NULL
-- plants: UPDATE history SET version = CASE WHEN position = 0 THEN 'one' ELSE 'another' END WHERE event = 'workflowStarted';
--   UPDATE history SET version = CASE WHEN position > 0 THEN 'one' END WHERE event = 'workflowStarted'
-- source: Dapr 1.18, named versions: the SDK tells with each turn the version that it executed, and the engine saves that with the turn (durabletask-go backend/orchestration.go), so that the next one is executed as the same (worker.py of dapr-ext-workflow, executionStarted). A turn that was executed again before it was saved is saved as two, of which the first alone has the version.
-- witness: {instance_id} began as {first:or}, and the turn at position {position} ({at_ns:at}) was executed as {version:or}.
WITH firsts AS (
    SELECT instance_id, min(position) AS position
    FROM history
    WHERE event = 'workflowStarted' AND instance_id IN (SELECT instance_id FROM history WHERE version IS NOT NULL)
    GROUP BY instance_id
), began AS (
    SELECT firsts.instance_id, coalesce(history.version, 'no version') AS first
    FROM firsts
    JOIN history ON history.instance_id = firsts.instance_id AND history.position = firsts.position
)
SELECT
    began.instance_id,
    history.position,
    history.at_ns,
    began.first,
    history.version
FROM began
JOIN history ON history.instance_id = began.instance_id
WHERE history.event = 'workflowStarted' AND history.version <> began.first
ORDER BY began.instance_id, history.position
