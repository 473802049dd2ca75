-- claim: No result of a task is older than the end of the first body of that task that ended well.
-- layer: engine
-- needs: activities, attempts
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM history WHERE event = 'taskCompleted') ELSE 0 END
-- catches: result_moved
-- source: durabletask-go backend/executor.go (ExecuteActivity gives the result its time when the worker has answered, which it does after the body). Body and result get their times from two processes, so a difference of one millisecond is allowed.
-- witness: {instance_id}: the result of task {task_id} has the time {at_ns:at}, but the first body of that task that ended well ended at {ended_ns:at}.
SELECT late.instance_id, late.task_id, late.at_ns, min(attempts.ended_ns) AS ended_ns
FROM late_results AS late
JOIN attempts
    ON attempts.instance_id = late.instance_id AND attempts.task_id = late.task_id AND attempts.outcome = 'ok'
GROUP BY late.instance_id, late.task_id, late.at_ns
HAVING min(attempts.ended_ns) > late.at_ns + 1000000
ORDER BY late.instance_id, late.task_id, late.at_ns
