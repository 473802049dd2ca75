-- claim: Shipments are those of completed orders and those that were cancelled, and no others.
-- layer: app
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- catches: shipment_kept
-- witness: {instance_id} is {outcome:or}, with {shipped} shipped and {cancelled} cancelled.
SELECT
    effects.instance_id,
    any_value(instances.outcome) AS outcome,
    count_if(effects.effect = 'ship') AS shipped,
    count_if(effects.effect = 'cancel') AS cancelled
FROM effects
JOIN instances USING (instance_id)
WHERE effects.effect IN ('ship', 'cancel') AND instances.status = 'COMPLETED'
GROUP BY effects.instance_id
HAVING shipped - cancelled <> CASE WHEN any_value(instances.outcome) = 'completed' THEN 1 ELSE 0 END
ORDER BY effects.instance_id
