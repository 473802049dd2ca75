-- claim: A workflow of one pattern ends with what its input gives, and so does each of its tasks: the sum, the bytes, the seconds; a batch with how its orders ended, and after them.
-- layer: app
-- workflows: series_v1, parallel_v1, wide_v1, delay_v1, payload_v1, batch_v1, family_v1, work_whole_v1, work_steps_v1, work_split_v1
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED'
--   AND workflow IN ('series_v1', 'parallel_v1', 'wide_v1', 'delay_v1', 'payload_v1', 'batch_v1', 'family_v1', 'work_whole_v1', 'work_steps_v1', 'work_split_v1')
-- plants: UPDATE instances SET output = '0' WHERE instance_id = (SELECT min(instance_id) FROM instances
--   WHERE status = 'COMPLETED' AND workflow <> 'order_v1');
--   UPDATE history SET payload = '0' WHERE event = 'taskCompleted' AND instance_id = (SELECT min(instance_id) FROM instances
--   WHERE status = 'COMPLETED' AND workflow IN ('series_v1', 'parallel_v1'))
-- source: target/patterns.py, target/granularity.py. The two clocks of a batch and its orders are those of two sidecars on one machine, so a difference of one millisecond is allowed.
-- witness: {instance_id} ({workflow}): {what} is {found:or}, and must be {wanted:or}.
WITH ended AS (
    SELECT
        instances.instance_id,
        instances.workflow,
        instances.output,
        inputs.payload AS given
    FROM instances
    JOIN inputs ON inputs.instance_id = instances.instance_id
    WHERE instances.status = 'COMPLETED'
        AND instances.workflow IN (
            'series_v1', 'parallel_v1', 'wide_v1', 'delay_v1', 'payload_v1', 'batch_v1', 'family_v1', 'work_whole_v1',
            'work_steps_v1', 'work_split_v1'
        )
), computed AS (
    SELECT
        *,
        CASE workflow
            WHEN 'wide_v1' THEN json_extract(given, '$.tasks')::BIGINT * json_extract(given, '$.bytes')::BIGINT
            WHEN 'delay_v1' THEN json_extract(given, '$.seconds')::BIGINT
            WHEN 'payload_v1' THEN json_extract(given, '$.bytes')::BIGINT
            WHEN 'family_v1' THEN
                json_extract(given, '$.number')::BIGINT * (json_extract(given, '$.number')::BIGINT + 1) // 2
                + list_sum(json_extract(given, '$.seconds')::BIGINT[])::BIGINT
            ELSE json_extract(given, '$.number')::BIGINT * (json_extract(given, '$.number')::BIGINT + 1) // 2
        END AS wanted
    FROM ended
    WHERE workflow <> 'batch_v1'
), tasks AS (
    SELECT
        asked.instance_id,
        computed.workflow,
        asked.position,
        asked.name,
        asked.task_id,
        asked.payload AS given,
        CASE WHEN asked.name = 'sum_v1' THEN answered.payload ELSE length(answered.payload)::VARCHAR END AS found
    FROM history AS asked
    JOIN computed ON computed.instance_id = asked.instance_id
    JOIN history AS answered
        ON answered.instance_id = asked.instance_id
        AND answered.task_id = asked.task_id
        AND answered.event = 'taskCompleted'
    WHERE asked.event = 'taskScheduled' AND asked.name IN ('sum_v1', 'fill_v1', 'get_value_v1')
), tasks_computed AS (
    -- A text is stored as JSON, with two quotation marks.
    SELECT
        *,
        CASE
            WHEN name = 'sum_v1' THEN
                (json_extract(given, '$.first')::BIGINT + json_extract(given, '$.last')::BIGINT)
                * (json_extract(given, '$.last')::BIGINT - json_extract(given, '$.first')::BIGINT + 1) // 2
            ELSE json_extract(given, '$.bytes')::BIGINT + 2
        END AS wanted
    FROM tasks
), orders AS (
    SELECT
        batches.instance_id,
        orders.outcome,
        count(*) AS found,
        max(orders.completed_ns) AS last_ns
    FROM ended AS batches
    JOIN instances AS orders ON orders.parent_id = batches.instance_id
    WHERE batches.workflow = 'batch_v1'
    GROUP BY batches.instance_id, orders.outcome
)
SELECT instance_id, workflow, 'its output' AS what, output AS found, wanted::VARCHAR AS wanted, 0 AS position
FROM computed
WHERE output IS DISTINCT FROM wanted::VARCHAR
UNION ALL
SELECT instance_id, workflow, 'what task ' || task_id || ' (' || name || ') gave', found, wanted::VARCHAR, position
FROM tasks_computed
WHERE found IS DISTINCT FROM wanted::VARCHAR
UNION ALL
SELECT
    batches.instance_id,
    batches.workflow,
    'the number of its orders that are ' || coalesce(orders.outcome, 'without an end'),
    orders.found::VARCHAR,
    coalesce(json_extract_string(batches.output, '$."' || orders.outcome || '"'), 'none'),
    0
FROM ended AS batches
JOIN orders ON orders.instance_id = batches.instance_id
WHERE json_extract_string(batches.output, '$."' || orders.outcome || '"') IS DISTINCT FROM orders.found::VARCHAR
UNION ALL
SELECT batches.instance_id, batches.workflow, 'the number of its orders', coalesce(sum(orders.found), 0)::VARCHAR, '6', 0
FROM ended AS batches
LEFT JOIN orders ON orders.instance_id = batches.instance_id
WHERE batches.workflow = 'batch_v1'
GROUP BY batches.instance_id, batches.workflow
HAVING coalesce(sum(orders.found), 0) <> 6
UNION ALL
SELECT
    batches.instance_id,
    'batch_v1',
    'its end',
    ((orders.last_ns - batches.completed_ns) // 1000000)::VARCHAR || ' ms before the last of its orders ended',
    'after it',
    0
FROM instances AS batches
JOIN orders ON orders.instance_id = batches.instance_id
WHERE orders.last_ns > batches.completed_ns + 1000000
ORDER BY instance_id, position, what
