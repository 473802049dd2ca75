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
    SELECT instance_id, min((price, provider)) AS best
    FROM last_answers
    WHERE price IS NOT NULL
    GROUP BY instance_id
), shipped AS (
    SELECT
        instance_id,
        json_extract_string(attributes, '$.provider') AS provider,
        json_extract(attributes, '$.price')::BIGINT AS price
    FROM effects
    WHERE effect = 'ship'
), wrong AS (
    SELECT shipped.instance_id, shipped.provider, shipped.price
    FROM shipped
    LEFT JOIN choices ON choices.instance_id = shipped.instance_id
    WHERE choices.best IS DISTINCT FROM (shipped.price, shipped.provider)
), told AS (
    SELECT instance_id, string_agg(provider || ' ' || coalesce(price::VARCHAR, 'none'), ', ' ORDER BY provider) AS answers
    FROM last_answers
    WHERE instance_id IN (SELECT instance_id FROM wrong)
    GROUP BY instance_id
)
SELECT wrong.instance_id, wrong.provider, wrong.price, coalesce(told.answers, 'none') AS answers
FROM wrong
LEFT JOIN told ON told.instance_id = wrong.instance_id
ORDER BY wrong.instance_id, wrong.provider
