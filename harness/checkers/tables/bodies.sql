-- One row an instance that has attempts: how often activity bodies ran, and for how many tasks.
--
-- done is the set of tasks of which a body ended well, one bit a task; it leaves out ids that do not fit 63 bits.
SELECT
    instance_id,
    count(*) AS executions,
    count(DISTINCT task_id) AS tasks,
    coalesce(bit_or(1::BIGINT << task_id) FILTER (WHERE outcome = 'ok' AND task_id BETWEEN 0 AND 62), 0) AS done
FROM attempts
GROUP BY instance_id
