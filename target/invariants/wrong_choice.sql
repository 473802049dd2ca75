-- claim: An order is shipped by the cheapest of the providers that answered, at the price that this provider gave, and says at its end what each provider answered.
-- layer: app
-- workflows: order_v1, versioned_order, patched_order, approve_order_v1, orders.OrderV1
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
        count_if(answers.price = shipped.price AND answers.provider = shipped.provider) AS given,
        count_if(answers.price < shipped.price OR (answers.price = shipped.price AND answers.provider < shipped.provider)) AS better
    FROM shipped
    LEFT JOIN answers ON answers.instance_id = shipped.instance_id
    GROUP BY shipped.instance_id, shipped.provider, shipped.price
), says AS (
    SELECT instance_id, json_extract(output, '$.quotes') AS quotes
    FROM instances
    WHERE status = 'COMPLETED' AND generation = 1
), other AS (
    -- A provider may have answered in an earlier round, too. Only its last answer counts.
    SELECT
        answers.instance_id,
        answers.provider,
        answers.task_id,
        coalesce(json_extract_string(says.quotes, '$."' || answers.provider || '"'), 'null') AS told
    FROM answers
    JOIN says ON says.instance_id = answers.instance_id
    WHERE told <> coalesce(answers.answer, 'null')
), wrong AS (
    SELECT instance_id, 'was shipped by' AS what, provider, price::VARCHAR AS price
    FROM compared
    WHERE given = 0 OR better > 0 OR price IS NULL OR provider IS NULL
    UNION ALL
    SELECT other.instance_id, 'says that it was quoted by', other.provider, other.told
    FROM other
    ANTI JOIN answers AS later
        ON later.instance_id = other.instance_id AND later.provider = other.provider AND later.task_id > other.task_id
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
