-- One row an instance that has attempts: how often activity bodies ran, and for how many tasks.
--
-- done is the set of tasks of which a body ended well, one bit a task; it leaves out ids that do not fit 63 bits.
-- tasks_print stands for all (task, activity) that ran: where each ran once it equals that of the tasks in histories.
SELECT
    instance_id,
    count(*) AS executions,
    count(DISTINCT task_id) AS tasks,
    min(started_ns) AS first_ns,
    bit_xor(hash(task_id, activity)) AS tasks_print,
    coalesce(bit_or(CASE WHEN task_id BETWEEN 0 AND 62 THEN 1::BIGINT << task_id END) FILTER (WHERE outcome = 'ok'), 0) AS done
FROM attempts
GROUP BY instance_id
