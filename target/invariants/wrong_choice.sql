-- claim: An order is shipped by the cheapest of the providers that answered, at the price that this provider gave.
-- layer: app
-- examined: SELECT count(*) FROM effects WHERE effect = 'ship'
-- catches: choice_changed
-- source: target/workflows.py (cheapest). The answers are those in the engine's own history. An instance in a later generation has lost its earlier history (Dapr 1.18 orchestrator/create.go, createIfCompleted).
-- witness: {instance_id} was shipped by {provider} for {price}, but the providers' answers were {answers}.
WITH asked AS (
    SELECT instance_id, task_id, json_extract_string(payload, '$.provider') AS provider
    FROM history
    WHERE event = 'taskScheduled' AND name = 'quote_v1'
), answers AS (
    SELECT instance_id, task_id, try_cast(payload AS BIGINT) AS price
    FROM history
    WHERE event = 'taskCompleted' AND try_cast(payload AS BIGINT) IS NOT NULL
), choices AS (
    -- The workflow asks again only if no provider answered, so all answers are from the last round.
    SELECT asked.instance_id, min((answers.price, asked.provider)) AS best
    FROM asked
    JOIN answers ON answers.instance_id = asked.instance_id AND answers.task_id = asked.task_id
    GROUP BY asked.instance_id
), shipped AS (
    SELECT
        instance_id,
        json_extract_string(attributes, '$.provider') AS provider,
        json_extract(attributes, '$.price')::BIGINT AS price
    FROM effects
    WHERE effect = 'ship' AND instance_id NOT IN (SELECT instance_id FROM instances WHERE generation > 1)
), wrong AS (
    SELECT shipped.instance_id, shipped.provider, shipped.price
    FROM shipped
    LEFT JOIN choices ON choices.instance_id = shipped.instance_id
    WHERE choices.best IS DISTINCT FROM (shipped.price, shipped.provider)
), answered AS (
    SELECT
        asked.instance_id,
        string_agg(asked.provider || ' ' || answers.price, ', ' ORDER BY asked.provider, answers.price) AS answers
    FROM asked
    JOIN answers ON answers.instance_id = asked.instance_id AND answers.task_id = asked.task_id
    WHERE asked.instance_id IN (SELECT instance_id FROM wrong)
    GROUP BY asked.instance_id
)
SELECT wrong.instance_id, wrong.provider, wrong.price, coalesce(answered.answers, 'none') AS answers
FROM wrong
LEFT JOIN answered ON answered.instance_id = wrong.instance_id
ORDER BY wrong.instance_id, wrong.provider
