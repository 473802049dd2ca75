-- claim: What an order says of itself at its end is what its history has: the order, the provider, its price and the shipment; and it goes on only after its stock was reserved.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED' AND workflow IN ('order_v1', 'versioned_order', 'patched_order', 'approve_order_v1', 'orders.OrderV1')
-- plants: UPDATE instances SET output = (SELECT max(output) FROM instances WHERE outcome = 'completed')
--   WHERE instance_id = (SELECT min_by(instance_id, output) FROM instances WHERE outcome = 'completed');
--   UPDATE history SET payload = 'false' WHERE event = 'taskCompleted' AND payload = 'true'
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE outcome = 'completed')
-- source: target/workflows.py (result, order_v1). An instance in a later generation has lost its earlier history. What the last turn ordered may be missing in the history (docs/findings.md, 8), so a result of it is compared where it is there.
-- witness: {instance_id} says {outcome:or}: {what}.
WITH ended AS (
    SELECT
        instance_id,
        outcome,
        json_extract_string(output, '$.order_id') AS order_id,
        json_extract_string(output, '$.sku') AS sku,
        json_extract_string(output, '$.quantity') AS quantity,
        json_extract_string(output, '$.shipment') AS shipment,
        json_extract_string(output, '$.provider') AS provider,
        json_extract_string(output, '$.quotes."' || json_extract_string(output, '$.provider') || '"') AS quoted
    FROM instances
    WHERE status = 'COMPLETED' AND workflow IN ('order_v1', 'versioned_order', 'patched_order', 'approve_order_v1', 'orders.OrderV1') AND generation = 1
), orders AS (
    SELECT
        instance_id,
        json_extract_string(payload, '$.sku') AS sku,
        json_extract_string(payload, '$.quantity') AS quantity
    FROM inputs
), tasks AS (
    -- Only who was asked to ship has a provider and a price in its input.
    SELECT
        instance_id,
        task_id,
        name,
        CASE WHEN name IN ('register_shipment_v1', 'cancel_shipment_v1') THEN json_extract_string(payload, '$.provider') END AS provider,
        CASE WHEN name IN ('register_shipment_v1', 'cancel_shipment_v1') THEN coalesce(json_extract_string(payload, '$.price'), 'none') END AS price
    FROM history
    WHERE event = 'taskScheduled' AND name <> 'quote_v1'
), summed AS (
    SELECT
        tasks.instance_id,
        count_if(name = 'reserve_stock_v1' AND answer = 'true') AS reserved,
        count_if(name = 'reserve_stock_v1' AND answer = 'false') AS not_reserved,
        count_if(name = 'reserve_stock_v1' AND answered AND (answer IS NULL OR answer NOT IN ('true', 'false'))) AS unclear,
        count_if(name IN ('cancel_shipment_v1', 'release_stock_v1') AND coalesce(answer, 'null') <> 'null') AS too_much,
        count_if(name = 'register_shipment_v1' AND answered AND coalesce(answer, 'null') = 'null') AS refused,
        count_if(name <> 'reserve_stock_v1') AS others,
        min(CASE WHEN name = 'reserve_stock_v1' THEN tasks.task_id END) AS reserve_id,
        max(CASE WHEN name = 'register_shipment_v1' THEN json_extract_string(answer, '$') END) AS shipment,
        max(provider) AS provider,
        max(price) AS price
    FROM tasks
    LEFT JOIN (
        -- JavaScript's SDK sends an empty text where a function returns nothing.
        SELECT instance_id, task_id, nullif(payload, '') AS answer, TRUE AS answered
        FROM history
        WHERE event = 'taskCompleted'
    ) AS results ON results.instance_id = tasks.instance_id AND results.task_id = tasks.task_id
    GROUP BY tasks.instance_id
), asked AS (
    -- The second version of an order asks the providers first (target/versions.py): that is no going on.
    SELECT DISTINCT history.instance_id
    FROM history
    JOIN summed ON summed.instance_id = history.instance_id
    WHERE history.event = 'taskScheduled'
        AND history.name = 'quote_v1'
        AND history.task_id > summed.reserve_id
        AND history.instance_id IN (
            SELECT instance_id FROM ended WHERE outcome = 'rejected'
            UNION ALL
            SELECT instance_id FROM summed WHERE not_reserved > 0
        )
), wrong AS (
    SELECT
        ended.instance_id,
        ended.outcome,
        CASE
            WHEN ended.order_id IS DISTINCT FROM ended.instance_id
                THEN 'its output is that of ' || coalesce(ended.order_id, 'no order')
            WHEN ended.sku IS DISTINCT FROM orders.sku OR ended.quantity IS DISTINCT FROM orders.quantity
                THEN 'its output is of another sku or quantity than it had'
            WHEN summed.unclear > 0 THEN 'whether its stock was reserved was not answered with yes or no'
            WHEN summed.too_much > 0 THEN 'a compensation was answered with more than that it was done'
            WHEN ended.outcome = 'rejected' AND (summed.reserved > 0 OR summed.others > 0 OR asked.instance_id IS NOT NULL)
                THEN 'its stock was reserved, or it went on'
            WHEN ended.outcome = 'completed' AND coalesce(summed.reserved, 0) = 0 THEN 'its stock was not reserved'
            WHEN summed.not_reserved > 0 AND (summed.others > 0 OR asked.instance_id IS NOT NULL) THEN 'it went on without stock'
            WHEN (ended.outcome = 'completed') <> (ended.shipment IS NOT NULL) THEN 'its output has a shipment or lacks one'
            WHEN ended.outcome = 'completed' AND ended.shipment <> summed.shipment
                THEN 'its shipment is not the one that was registered'
            WHEN ended.outcome = 'completed' AND summed.refused > 0 THEN 'its provider refused to ship'
            WHEN ended.outcome <> 'completed' AND summed.shipment IS NOT NULL THEN 'a shipment was registered'
            WHEN summed.provider IS NOT NULL AND ended.provider IS DISTINCT FROM summed.provider
                THEN 'its provider is not the one that was asked to ship'
            WHEN CASE WHEN summed.provider IS NOT NULL THEN ended.quoted END IS DISTINCT FROM summed.price
                THEN 'its provider was asked to ship for ' || summed.price || ', and had quoted another price'
        END AS what
    FROM ended
    LEFT JOIN orders ON orders.instance_id = ended.instance_id
    LEFT JOIN summed ON summed.instance_id = ended.instance_id
    LEFT JOIN asked ON asked.instance_id = ended.instance_id
)
SELECT instance_id, outcome, what
FROM wrong
WHERE what IS NOT NULL
ORDER BY instance_id, what
