-- claim: What an order says of itself at its end is what its history has: the order, the answers of the providers, the provider and the shipment; and it goes on only after its stock was reserved.
-- layer: app
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED'
-- catches: output_swapped, result_falsified
-- source: target/workflows.py (_result, order_v1). An instance in a later generation has lost its earlier history. What the last turn ordered may be missing in the history (docs/findings.md, 8), so a result of it is compared where it is there.
-- witness: {instance_id} says {outcome:or}: {what}.
WITH ended AS (
    SELECT instance_id, outcome, output
    FROM instances
    WHERE status = 'COMPLETED' AND generation = 1
), orders AS (
    SELECT instance_id, payload
    FROM history
    WHERE event = 'executionStarted'
), tasks AS (
    SELECT instance_id, task_id, name, payload
    FROM history
    WHERE event = 'taskScheduled'
), results AS (
    -- JavaScript's SDK sends an empty text where a function returns nothing.
    SELECT tasks.instance_id, tasks.task_id, tasks.name, tasks.payload AS asked, nullif(history.payload, '') AS answer
    FROM history
    JOIN tasks ON tasks.instance_id = history.instance_id AND tasks.task_id = history.task_id
    WHERE history.event = 'taskCompleted'
), summed AS (
    SELECT
        instance_id,
        count_if(name = 'reserve_stock_v1' AND answer = 'true') AS reserved,
        count_if(name = 'reserve_stock_v1' AND answer = 'false') AS not_reserved,
        count_if(name = 'reserve_stock_v1' AND (answer IS NULL OR answer NOT IN ('true', 'false'))) AS unclear,
        count_if(name IN ('cancel_shipment_v1', 'release_stock_v1') AND coalesce(answer, 'null') <> 'null') AS too_much,
        count_if(name = 'register_shipment_v1' AND coalesce(answer, 'null') = 'null') AS refused,
        max(CASE WHEN name = 'register_shipment_v1' THEN json_extract_string(answer, '$') END) AS shipment
    FROM results
    GROUP BY instance_id
), went_on AS (
    SELECT DISTINCT instance_id
    FROM tasks
    WHERE name <> 'reserve_stock_v1'
), quotes AS (
    SELECT
        instance_id,
        json_extract_string(asked, '$.provider') AS provider,
        arg_max(coalesce(answer, 'null'), task_id) AS price
    FROM results
    WHERE name = 'quote_v1'
    GROUP BY instance_id, provider
), shipping AS (
    SELECT
        instance_id,
        max(json_extract_string(payload, '$.provider')) AS provider,
        max(json_extract_string(payload, '$.price')) AS price
    FROM tasks
    WHERE name IN ('register_shipment_v1', 'cancel_shipment_v1')
    GROUP BY instance_id
), wrong AS (
    SELECT
        ended.instance_id,
        ended.outcome,
        CASE
            WHEN json_extract_string(ended.output, '$.order_id') IS DISTINCT FROM ended.instance_id
                THEN 'its output is that of ' || coalesce(json_extract_string(ended.output, '$.order_id'), 'no order')
            WHEN json_extract_string(ended.output, '$.sku') IS DISTINCT FROM json_extract_string(orders.payload, '$.sku')
                OR json_extract_string(ended.output, '$.quantity') IS DISTINCT FROM json_extract_string(orders.payload, '$.quantity')
                THEN 'its output is of another sku or quantity than it had'
            WHEN summed.unclear > 0 THEN 'whether its stock was reserved was not answered with yes or no'
            WHEN summed.too_much > 0 THEN 'a compensation was answered with more than that it was done'
            WHEN ended.outcome = 'rejected' AND (summed.reserved > 0 OR went_on.instance_id IS NOT NULL)
                THEN 'its stock was reserved, or it went on'
            WHEN ended.outcome = 'completed' AND summed.reserved IS DISTINCT FROM 1 THEN 'its stock was not reserved'
            WHEN went_on.instance_id IS NOT NULL AND summed.not_reserved > 0 THEN 'it went on without stock'
            WHEN (ended.outcome = 'completed') <> (json_extract_string(ended.output, '$.shipment') IS NOT NULL)
                THEN 'its output has a shipment or lacks one'
            WHEN ended.outcome = 'completed' AND json_extract_string(ended.output, '$.shipment') <> summed.shipment
                THEN 'its shipment is not the one that was registered'
            WHEN ended.outcome = 'completed' AND summed.refused > 0 THEN 'its provider refused to ship'
            WHEN ended.outcome <> 'completed' AND summed.shipment IS NOT NULL THEN 'a shipment was registered'
            WHEN shipping.instance_id IS NOT NULL
                AND json_extract_string(ended.output, '$.provider') IS DISTINCT FROM shipping.provider
                THEN 'its provider is not the one that was asked to ship'
        END AS what
    FROM ended
    LEFT JOIN orders ON orders.instance_id = ended.instance_id
    LEFT JOIN summed ON summed.instance_id = ended.instance_id
    LEFT JOIN went_on ON went_on.instance_id = ended.instance_id
    LEFT JOIN shipping ON shipping.instance_id = ended.instance_id
)
SELECT instance_id, outcome, what
FROM wrong
WHERE what IS NOT NULL
UNION ALL
SELECT ended.instance_id, ended.outcome, 'its output has another price of ' || quotes.provider || ' than the answer ' || quotes.price
FROM ended
JOIN quotes ON quotes.instance_id = ended.instance_id
WHERE coalesce(json_extract_string(ended.output, '$.quotes."' || quotes.provider || '"'), 'null') IS DISTINCT FROM quotes.price
UNION ALL
SELECT ended.instance_id, ended.outcome, 'it was shipped for ' || coalesce(shipping.price, 'nothing') || ', and the answer was ' || quotes.price
FROM ended
JOIN shipping ON shipping.instance_id = ended.instance_id
JOIN quotes ON quotes.instance_id = ended.instance_id AND quotes.provider = shipping.provider
WHERE shipping.price IS DISTINCT FROM quotes.price
ORDER BY instance_id, what
