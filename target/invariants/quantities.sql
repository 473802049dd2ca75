-- claim: The quantity that was ordered is the same as the quantity that was reserved, released and shipped for the order.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM effects WHERE effect IN ('reserve', 'release', 'ship')
-- plants: UPDATE effects SET attributes = json_merge_patch(attributes, '{"quantity": 99}') WHERE effect = 'reserve'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'reserve')
-- source: target/workflows.py; the order is the input of its executionStarted event.
-- witness: {instance_id}: {effect} has the quantity {quantity}, but {ordered} were ordered.
WITH orders AS (
    SELECT instance_id, json_extract(payload, '$.quantity')::DOUBLE AS ordered
    FROM inputs
), quantities AS (
    SELECT instance_id, effect, position, json_extract(attributes, '$.quantity')::DOUBLE AS quantity
    FROM effects
    WHERE effect IN ('reserve', 'release', 'ship')
)
SELECT quantities.instance_id, quantities.effect, quantities.quantity, orders.ordered
FROM quantities
JOIN orders USING (instance_id)
WHERE quantities.quantity IS DISTINCT FROM orders.ordered
ORDER BY quantities.instance_id, quantities.effect, quantities.position
