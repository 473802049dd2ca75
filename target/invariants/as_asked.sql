-- claim: An order is the one that was asked for, in its own input and in that of each of its tasks: its id, kind, sku and quantity.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM inputs
-- plants: UPDATE history SET payload = '{"order_id": "another"}' WHERE event = 'executionStarted'
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE status = 'COMPLETED');
--   UPDATE history SET payload = '{"order_id": "another"}' WHERE event = 'taskScheduled' AND name = 'reserve_stock_v1'
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE status = 'COMPLETED')
-- source: target/workflows.py; the plan has the body of each request (table arrivals). In a synthetic run the first copy of each order is that of the plan.
-- witness: {instance_id}: {what} is {found:or}, and must be {wanted:or}.
WITH orders AS (
    SELECT instance_id, payload
    FROM inputs
    WHERE name IN ('order_v1', 'versioned_order', 'patched_order', 'approve_order_v1', 'orders.OrderV1')
), other AS (
    -- The input of nearly every task begins with the text of the order. Only that of the others is parsed.
    SELECT
        tasks.instance_id,
        tasks.position,
        tasks.name,
        tasks.payload,
        orders.payload AS asked
    FROM history AS tasks
    JOIN orders ON orders.instance_id = tasks.instance_id
    WHERE tasks.event = 'taskScheduled' AND CASE
        WHEN starts_with(tasks.payload, left(orders.payload, length(orders.payload) - 1)) THEN FALSE
        ELSE (
            json_extract_string(tasks.payload, '$.order_id'),
            json_extract_string(tasks.payload, '$.kind'),
            json_extract_string(tasks.payload, '$.sku'),
            json_extract_string(tasks.payload, '$.quantity')
        ) IS DISTINCT FROM (
            json_extract_string(orders.payload, '$.order_id'),
            json_extract_string(orders.payload, '$.kind'),
            json_extract_string(orders.payload, '$.sku'),
            json_extract_string(orders.payload, '$.quantity')
        )
    END
)
SELECT orders.instance_id, 'its input' AS what, orders.payload AS found, arrivals.body AS wanted, 0 AS position
FROM orders
JOIN arrivals ON arrivals.instance_id = orders.instance_id
WHERE orders.payload IS DISTINCT FROM arrivals.body
UNION ALL
SELECT instance_id, 'the id in its input', json_extract_string(payload, '$.order_id'), instance_id, 0
FROM orders
WHERE json_extract_string(payload, '$.order_id') IS DISTINCT FROM instance_id
UNION ALL
SELECT
    instance_id,
    'the order in the input of ' || name,
    concat_ws(
        ', ',
        json_extract_string(payload, '$.order_id'),
        json_extract_string(payload, '$.kind'),
        json_extract_string(payload, '$.sku'),
        json_extract_string(payload, '$.quantity')
    ),
    concat_ws(
        ', ',
        json_extract_string(asked, '$.order_id'),
        json_extract_string(asked, '$.kind'),
        json_extract_string(asked, '$.sku'),
        json_extract_string(asked, '$.quantity')
    ),
    position
FROM other
ORDER BY 1, position, 2
