-- claim: An order is the one that was asked for, in its own input and in that of each of its tasks: its id, kind, sku and quantity.
-- layer: app
-- examined: SELECT count(*) FROM history WHERE event = 'executionStarted'
-- catches: order_changed, task_input_changed
-- source: target/workflows.py; the plan has the body of each request (table arrivals). In a synthetic run the first copy of each order is that of the plan.
-- witness: {instance_id}: {what} is {found:or}, and must be {wanted:or}.
WITH inputs AS (
    SELECT
        instance_id,
        position,
        event,
        name,
        payload,
        json_extract_string(payload, '$.order_id') AS order_id,
        json_extract_string(payload, '$.kind') AS kind,
        json_extract_string(payload, '$.sku') AS sku,
        json_extract_string(payload, '$.quantity') AS quantity
    FROM history
    WHERE event IN ('executionStarted', 'taskScheduled')
), orders AS (
    SELECT *
    FROM inputs
    WHERE event = 'executionStarted'
), tasks AS (
    SELECT *
    FROM inputs
    WHERE event = 'taskScheduled'
)
SELECT orders.instance_id, 'its input' AS what, orders.payload AS found, arrivals.body AS wanted, 0 AS position
FROM orders
JOIN arrivals ON arrivals.instance_id = orders.instance_id
WHERE orders.payload IS DISTINCT FROM arrivals.body
UNION ALL
SELECT instance_id, 'the id in its input', order_id, instance_id, 0
FROM orders
WHERE order_id IS DISTINCT FROM instance_id
UNION ALL
SELECT
    tasks.instance_id,
    'the order in the input of ' || tasks.name,
    concat_ws(', ', tasks.order_id, tasks.kind, tasks.sku, tasks.quantity),
    concat_ws(', ', orders.order_id, orders.kind, orders.sku, orders.quantity),
    tasks.position
FROM tasks
JOIN orders ON orders.instance_id = tasks.instance_id
WHERE (tasks.order_id, tasks.kind, tasks.sku, tasks.quantity)
    IS DISTINCT FROM (orders.order_id, orders.kind, orders.sku, orders.quantity)
ORDER BY 1, position, 2
