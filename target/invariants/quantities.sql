-- claim: What was asked for, reserved, released and shipped for an order is the same quantity.
-- layer: app
-- examined: SELECT count(*) FROM effects WHERE effect IN ('reserve', 'release', 'ship')
-- catches: quantity_changed
-- source: target/workflows.py; the order is the input of its executionStarted event.
-- witness: {instance_id}: {effect} of {quantity}, and the order is for {ordered}.
WITH orders AS (
    SELECT instance_id, json_extract(payload, '$.quantity')::BIGINT AS ordered
    FROM history
    WHERE event = 'executionStarted'
), made AS (
    SELECT instance_id, effect, position, json_extract(attributes, '$.quantity')::BIGINT AS quantity
    FROM effects
    WHERE effect IN ('reserve', 'release', 'ship')
)
SELECT made.instance_id, made.effect, made.quantity, orders.ordered
FROM made
JOIN orders USING (instance_id)
WHERE made.quantity IS DISTINCT FROM orders.ordered
ORDER BY made.instance_id, made.effect, made.position
