-- claim: Each effect has the idempotency key of its own order: a movement of stock the order and what it was, a shipment and its cancellation the order and the shipment.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM effects
-- plants: UPDATE effects SET key = 'another/' || key WHERE effect = 'ship'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'ship');
--   UPDATE effects SET source = 'stock-another' WHERE effect = 'reserve'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'reserve')
-- source: target/stock.py, target/logistics.py. With the defect `double_ship` more follows after the key.
-- witness: {instance_id}: {effect} at {source} has the key {key:or}.
WITH orders AS (
    SELECT instance_id, json_extract_string(payload, '$.sku') AS sku
    FROM inputs
)
SELECT effects.instance_id, effects.effect, effects.source, effects.key, effects.position
FROM effects
LEFT JOIN orders ON orders.instance_id = effects.instance_id
WHERE key IS NULL
    OR NOT starts_with(key, effects.instance_id || '/' || CASE effect WHEN 'cancel' THEN 'ship' ELSE effect END)
    OR (effect IN ('reserve', 'release') AND source <> 'stock-' || orders.sku)
    OR (effect IN ('ship', 'cancel') AND source <> 'provider-0')
ORDER BY effects.instance_id, effects.position, effects.effect
