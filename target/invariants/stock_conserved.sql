-- claim: Stock is never negative, and after each movement it is the initial stock, minus what was reserved, plus what was released.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, orders.OrderV1
-- examined: SELECT count(*) FROM effects WHERE effect IN ('reserve', 'release')
-- plants: UPDATE effects SET attributes = json_merge_patch(attributes, '{"quantity": 99}') WHERE effect = 'reserve'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'reserve')
-- source: target/stock.py; each movement contains the stock that was available after it.
-- witness: {source} has {available} units after movement {position} of {instance_id}, but must have {expected}.
WITH movements AS (
    SELECT
        instance_id,
        source,
        position,
        json_extract(attributes, '$.available')::DOUBLE AS available,
        json_extract(attributes, '$.initial')::DOUBLE AS initial,
        json_extract(attributes, '$.quantity')::DOUBLE * CASE effect WHEN 'reserve' THEN -1 ELSE 1 END AS change
    FROM effects
    WHERE effect IN ('reserve', 'release')
), running AS (
    SELECT *, initial + sum(change) OVER (PARTITION BY source ORDER BY position) AS expected
    FROM movements
)
SELECT instance_id, source, position, available, expected
FROM running
WHERE available IS DISTINCT FROM expected OR expected < 0
ORDER BY source, position
