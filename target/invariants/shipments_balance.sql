-- claim: Shipments that were not cancelled belong to completed orders and delivered shipments, one to each, and to no others.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, watch_shipment_v1, orders.OrderV1
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- plants: DELETE FROM effects WHERE effect = 'cancel'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'cancel')
-- witness: {instance_id} is {outcome:or}, with {shipped} shipments, of which {cancelled} were cancelled.
SELECT
    effects.instance_id,
    any_value(instances.outcome) AS outcome,
    count_if(effects.effect = 'ship') AS shipped,
    count_if(effects.effect = 'cancel') AS cancelled
FROM effects
JOIN instances USING (instance_id)
WHERE effects.effect IN ('ship', 'cancel') AND instances.status = 'COMPLETED'
GROUP BY effects.instance_id
HAVING shipped - cancelled <> CASE WHEN any_value(instances.outcome) IN ('completed', 'delivered') THEN 1 ELSE 0 END
ORDER BY effects.instance_id
