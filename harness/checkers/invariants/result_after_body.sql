-- claim: A result is made only once a body of its task has ended well.
-- layer: engine
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM history WHERE event = 'taskCompleted') ELSE 0 END
-- catches: result_moved
-- source: durabletask-go backend/executor.go (ExecuteActivity stamps the result when the worker has answered, which it does after the body). Body and result are stamped by two processes, so a millisecond is allowed.
-- witness: {instance_id}: the result of task {task_id} is of {at_ns:at}, and the first body of it that ended well did so at {ended_ns:at}.
SELECT late.instance_id, late.task_id, late.at_ns, min(attempts.ended_ns) AS ended_ns
FROM late_results AS late
JOIN attempts
    ON attempts.instance_id = late.instance_id AND attempts.task_id = late.task_id AND attempts.outcome = 'ok'
GROUP BY late.instance_id, late.task_id, late.at_ns
HAVING min(attempts.ended_ns) > late.at_ns + 1000000
ORDER BY late.instance_id, late.task_id, late.at_ns
