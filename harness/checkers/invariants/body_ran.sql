-- claim: Every activity result that the engine holds came from a body that ran to its end.
-- layer: engine
-- needs: activities, attempts
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM history WHERE event = 'taskCompleted') ELSE 0 END
-- catches: attempt_deleted
-- witness: {instance_id}: task {task_id} ({name:or}) has a result with the time {at_ns:at}, but no body of the task ended well.
WITH doubtful AS (
    SELECT histories.instance_id
    FROM histories
    LEFT JOIN bodies USING (instance_id)
    WHERE NOT histories.orderly OR histories.completed & ~coalesce(bodies.done, 0) <> 0
), results AS (
    SELECT instance_id, task_id, at_ns
    FROM history
    WHERE event = 'taskCompleted' AND instance_id IN (SELECT instance_id FROM doubtful)
)
SELECT
    results.instance_id,
    results.task_id,
    max(tasks.name) AS name,
    max(results.at_ns) AS at_ns
FROM results
ANTI JOIN (SELECT instance_id, task_id FROM attempts WHERE outcome = 'ok') AS well USING (instance_id, task_id)
LEFT JOIN (SELECT instance_id, task_id, name FROM history WHERE event = 'taskScheduled') AS tasks USING (instance_id, task_id)
WHERE EXISTS (SELECT 1 FROM attempts)
GROUP BY results.instance_id, results.task_id
ORDER BY results.instance_id, results.task_id
