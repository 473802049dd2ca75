-- One row per instance that has attempts: how often activity bodies ran, and for how many tasks.
--
-- done is the set of tasks of which a body ended well, one bit per task. It leaves out ids that do not fit into 63
-- bits. tasks counts the ids that fit into 63 bits by their bits, and only the others by DISTINCT, which takes three
-- times as long.
--
-- tasks_print is a fingerprint of all pairs (task, activity) that ran. If each task ran once, it equals tasks_print in
-- histories. Each pair is hashed twice. DuckDB combines the second value by XOR alone, so two equal values would cancel
-- out.
WITH tried AS (
    SELECT *, CASE WHEN task_id BETWEEN 0 AND 62 THEN 1::BIGINT << task_id END AS bit
    FROM attempts
), gathered AS (
    SELECT
        instance_id,
        count(*) AS executions,
        min(started_ns) AS first_ns,
        bit_xor(hash(hash(task_id, activity))) AS tasks_print,
        coalesce(bit_or(bit), 0) AS ran,
        coalesce(bit_or(bit) FILTER (WHERE outcome = 'ok'), 0) AS done
    FROM tried
    GROUP BY instance_id
), beyond AS (
    SELECT instance_id, count(DISTINCT task_id) AS tasks
    FROM attempts
    WHERE task_id NOT BETWEEN 0 AND 62
    GROUP BY instance_id
)
SELECT gathered.* EXCLUDE (ran), bit_count(gathered.ran) + coalesce(beyond.tasks, 0) AS tasks
FROM gathered
LEFT JOIN beyond ON beyond.instance_id = gathered.instance_id
