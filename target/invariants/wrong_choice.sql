-- claim: An order is shipped by the cheapest of the providers that answered, at the price that this provider gave, and says at its end what each provider answered.
-- layer: app
-- workflows: order_v1, orders.OrderV1
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- plants: UPDATE effects SET attributes = json_merge_patch(attributes, '{"price": 1}') WHERE effect = 'ship'
--   AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'ship');
--   UPDATE history SET payload = '1' WHERE event = 'taskCompleted' AND try_cast(payload AS BIGINT) IS NOT NULL
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE outcome = 'completed')
-- source: target/workflows.py (cheapest, _result). The answers are those in the engine's own history; the workflow asks again only if no provider answered, so prices are all from the last round. An instance in a later generation has lost its earlier history (Dapr 1.18 orchestrator/create.go, createIfCompleted).
-- witness: {instance_id} {what} {provider:or} for {price:or}, but the providers' answers were {answers}.
WITH answers AS (
    SELECT
        tasks.instance_id,
        tasks.task_id,
        json_extract_string(tasks.payload, '$.provider') AS provider,
        nullif(history.payload, '') AS answer,
        try_cast(history.payload AS BIGINT) AS price
    FROM history
    JOIN history AS tasks
        ON tasks.instance_id = history.instance_id
        AND tasks.task_id = history.task_id
        AND tasks.event = 'taskScheduled'
        AND tasks.name = 'quote_v1'
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
), last AS (
    SELECT instance_id, provider, arg_max(coalesce(answer, 'null'), task_id) AS price
    FROM answers
    GROUP BY instance_id, provider
), wrong AS (
    SELECT instance_id, 'was shipped by' AS what, provider, price::VARCHAR AS price
    FROM compared
    WHERE given = 0 OR better > 0 OR price IS NULL OR provider IS NULL
    UNION ALL
    SELECT instance_id, 'says that it was quoted by', provider, told
    FROM (
        SELECT
            instances.instance_id,
            last.provider,
            last.price,
            coalesce(json_extract_string(instances.output, '$.quotes."' || last.provider || '"'), 'null') AS told
        FROM instances
        JOIN last ON last.instance_id = instances.instance_id
        WHERE instances.status = 'COMPLETED' AND instances.generation = 1
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
