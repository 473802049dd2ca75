-- claim: A payment is the one that was asked for, in its own input and in that of each of its tasks; each entry in an account has its amount and is numbered; a task that was tried once is a call of its own; a task has no result, and a timer no name.
-- layer: app
-- examined: SELECT count(*) FROM history WHERE event = 'executionStarted'
-- plants: UPDATE history SET payload = '{"amount": 9}' WHERE event = 'taskScheduled' AND name = 'hold_v1'
--   AND instance_id = (SELECT min(instance_id) FROM instances WHERE status = 'COMPLETED');
--   UPDATE effects SET attributes = '{"amount": 9}'
--   WHERE effect = 'hold' AND instance_id = (SELECT min(instance_id) FROM effects WHERE effect = 'hold')
-- source: tests/targets/payments/worker.py; the plan has the body of each request (table arrivals).
-- witness: {instance_id}: {what} is {found:or}, and must be {wanted:or}.
WITH inputs AS (
    SELECT
        instance_id,
        event,
        name,
        payload,
        concat_ws(
            ' ',
            json_extract_string(payload, '$.kind'),
            json_extract_string(payload, '$.account'),
            json_extract_string(payload, '$.amount')
        ) AS payment
    FROM history
    WHERE event IN ('executionStarted', 'taskScheduled')
), payments AS (
    SELECT instance_id, payload, payment
    FROM inputs
    WHERE event = 'executionStarted'
), asked AS (
    SELECT
        instance_id,
        concat_ws(
            ' ',
            json_extract_string(body, '$.kind'),
            json_extract_string(body, '$.account'),
            json_extract_string(body, '$.amount')
        ) AS payment
    FROM arrivals
)
SELECT payments.instance_id, 'its input' AS what, payments.payment AS found, asked.payment AS wanted
FROM payments
JOIN asked ON asked.instance_id = payments.instance_id
WHERE payments.payment <> asked.payment
UNION ALL
SELECT inputs.instance_id, 'the input of ' || inputs.name, inputs.payment, payments.payment
FROM inputs
JOIN payments ON payments.instance_id = inputs.instance_id
WHERE inputs.event = 'taskScheduled' AND inputs.payment <> payments.payment
UNION ALL
SELECT instance_id, 'the result of task ' || task_id, payload, NULL
FROM history
WHERE event = 'taskCompleted' AND coalesce(payload, 'null') <> 'null'
UNION ALL
SELECT
    effects.instance_id,
    'the amount of its ' || effects.effect,
    json_extract_string(effects.attributes, '$.amount'),
    json_extract_string(payments.payload, '$.amount')
FROM effects
JOIN payments ON payments.instance_id = effects.instance_id
WHERE json_extract_string(effects.attributes, '$.amount') IS DISTINCT FROM json_extract_string(payments.payload, '$.amount')
UNION ALL
SELECT instance_id, 'the key of a ' || effect, key, instance_id || '/' || CASE WHEN effect = 'hold' THEN 0 ELSE 1 END
FROM effects
WHERE NOT starts_with(coalesce(key, ''), instance_id || '/') OR (effect = 'hold' AND key = instance_id || '/1')
UNION ALL
SELECT tasks.instance_id, 'the call of task ' || tasks.task_id, tasks.call_id::VARCHAR, single.task_id::VARCHAR
FROM history AS tasks
JOIN (
    SELECT instance_id, name, min(task_id) AS task_id
    FROM history
    WHERE event = 'taskScheduled'
    GROUP BY instance_id, name
    HAVING count(*) = 1
) AS single ON single.instance_id = tasks.instance_id AND single.name = tasks.name
WHERE tasks.event = 'taskScheduled' AND tasks.call_id IS DISTINCT FROM single.task_id
UNION ALL
SELECT instance_id, 'the name of timer ' || task_id, name, NULL
FROM history
WHERE event IN ('timerCreated', 'timerFired') AND name IS NOT NULL
ORDER BY 1, 2
