-- claim: An order is shipped by the cheapest of the providers that answered, at the price that this provider gave, and says at its end what each provider answered.
-- layer: app
-- workflows: order_v1, approve_order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- plants: UPDATE effects SET attributes = json_merge_patch(attributes, '{"price": 1}') WHERE effect = 'ship'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'ship');
--   UPDATE history SET payload = '1' WHERE event = 'taskCompleted' AND try_cast(payload AS BIGINT) IS NOT NULL
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE outcome = 'completed')
-- source: target/workflows.py (cheapest, result). The answers are those in the engine's own history; the workflow asks again only if no provider answered, so prices are all from the last round. An instance in a later generation has lost its earlier history (Dapr 1.18 orchestrator/create.go, createIfCompleted).
-- witness: {instance_id} {what} {provider:or} for {price:or}, but the providers' answers were {answers}.
WITH quotes AS (
    SELECT instance_id, task_id, json_extract_string(payload, '$.provider') AS provider
    FROM history
    WHERE event = 'taskScheduled' AND name = 'quote_v1'
), answers AS (
    SELECT
        quotes.instance_id,
        quotes.task_id,
        quotes.provider,
        nullif(history.payload, '') AS answer,
        try_cast(history.payload AS BIGINT) AS price
    FROM history
    JOIN quotes ON quotes.instance_id = history.instance_id AND quotes.task_id = history.task_id
    WHERE history.event = 'taskCompleted'
), rounds AS (
    SELECT
        instance_id,
        provider,
        min(price) AS lowest,
        arg_max(coalesce(answer, 'null'), task_id) AS told
    FROM answers
    GROUP BY instance_id, provider
), shipped AS (
    SELECT
        effects.instance_id,
        json_extract_string(effects.attributes, '$.provider') AS provider,
        json_extract(effects.attributes, '$.price')::BIGINT AS price
    FROM effects
    WHERE effects.effect = 'ship' AND effects.instance_id NOT IN (SELECT instance_id FROM instances WHERE generation > 1)
), compared AS (
    SELECT
        shipped.instance_id,
        shipped.provider,
        shipped.price,
        count_if(rounds.lowest = shipped.price AND rounds.provider = shipped.provider) AS given,
        count_if(rounds.lowest < shipped.price OR (rounds.lowest = shipped.price AND rounds.provider < shipped.provider)) AS better
    FROM shipped
    LEFT JOIN rounds ON rounds.instance_id = shipped.instance_id
    GROUP BY shipped.instance_id, shipped.provider, shipped.price
), wrong AS (
    SELECT instance_id, 'was shipped by' AS what, provider, price::VARCHAR AS price
    FROM compared
    WHERE given = 0 OR better > 0 OR price IS NULL OR provider IS NULL
    UNION ALL
    SELECT instance_id, 'says that it was quoted by', provider, told
    FROM (
        SELECT
            says.instance_id,
            rounds.provider,
            rounds.told AS price,
            coalesce(json_extract_string(says.quotes, '$."' || rounds.provider || '"'), 'null') AS told
        FROM (
            SELECT instance_id, json_extract(output, '$.quotes') AS quotes
            FROM instances
            WHERE status = 'COMPLETED' AND generation = 1
        ) AS says
        JOIN rounds ON rounds.instance_id = says.instance_id
    ) AS ended
    WHERE told <> price
), answered AS (
    SELECT instance_id, string_agg(provider || ' ' || price, ', ' ORDER BY provider, price) AS answers
    FROM answers
    WHERE instance_id IN (SELECT instance_id FROM wrong)
    GROUP BY instance_id
)
SELECT wrong.instance_id, wrong.what, wrong.provider, wrong.price, coalesce(answered.answers, 'none') AS answers
FROM wrong
LEFT JOIN answered ON answered.instance_id = wrong.instance_id
ORDER BY wrong.instance_id, wrong.what, wrong.provider
