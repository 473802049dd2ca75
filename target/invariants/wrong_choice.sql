-- claim: An order is shipped by the cheapest of the providers that answered it, at the price that provider gave.
-- layer: app
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- catches: choice_changed
-- source: target/workflows.py (cheapest); the answers are those in the engine's own history.
-- witness: {instance_id} was shipped by {provider} for {price}; the answers were {answers}.
WITH answers AS (
    SELECT
        tasks.instance_id,
        json_extract_string(tasks.payload, '$.provider') AS provider,
        try_cast(results.payload AS BIGINT) AS price,
        tasks.position
    FROM history AS tasks
    JOIN history AS results
        ON results.instance_id = tasks.instance_id
        AND results.task_id = tasks.task_id
        AND results.event = 'taskCompleted'
    WHERE tasks.event = 'taskScheduled' AND tasks.name = 'quote_v1'
), last_answers AS (
    -- A round in which nobody answered is asked again: what counts is each provider's last answer.
    SELECT instance_id, provider, arg_max(price, position) AS price
    FROM answers
    GROUP BY instance_id, provider
), choices AS (
    SELECT
        instance_id,
        arg_min(provider, (price, provider)) FILTER (WHERE price IS NOT NULL) AS cheapest,
        min(price) AS price,
        string_agg(provider || ' ' || coalesce(price::VARCHAR, 'none'), ', ' ORDER BY provider) AS answers
    FROM last_answers
    GROUP BY instance_id
), shipped AS (
    SELECT
        instance_id,
        json_extract_string(attributes, '$.provider') AS provider,
        json_extract(attributes, '$.price')::BIGINT AS price
    FROM effects
    WHERE effect = 'ship'
)
SELECT shipped.instance_id, shipped.provider, shipped.price, coalesce(choices.answers, 'none') AS answers
FROM shipped
LEFT JOIN choices USING (instance_id)
WHERE choices.cheapest IS DISTINCT FROM shipped.provider OR choices.price IS DISTINCT FROM shipped.price
ORDER BY shipped.instance_id, shipped.provider
