-- claim: The numbers in the state store are told once for each key that target.yaml names, with the start that it names, and each instance that a client asked for moves them as its input says.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM balances) + (SELECT count(*) FROM moves)
-- catches: balance_missing, balance_duplicated, balance_began_elsewhere, move_invented, move_changed
-- needs: balances
-- source: harness/evidence/balances.py; a longer JMESPath than the name of a field is not followed here. A synthetic run has the balances of one copy.
-- witness: {balance:or} of {key:or}: {fault}.
WITH told AS (
    SELECT balance, key, count(*) AS times, min(began) AS began
    FROM balances
    GROUP BY balance, key
), asked AS (
    SELECT
        history.instance_id,
        movers.balance,
        json_extract_string(history.payload, '$."' || movers.key_field || '"') AS key,
        movers.direction * try_cast(json_extract_string(history.payload, '$."' || movers.amount_field || '"') AS DOUBLE) AS amount
    FROM history
    CROSS JOIN movers
    WHERE history.event = 'executionStarted'
        AND json_valid(history.payload)
        AND history.instance_id NOT IN (SELECT instance_id FROM instances WHERE root_id IS NOT NULL)
        AND (SELECT max(copies) FROM promised) = 1
), expected AS (
    SELECT asked.instance_id, asked.balance, asked.key, count(*) AS times, sum(asked.amount) AS amount
    FROM asked
    JOIN starts ON starts.balance = asked.balance AND starts.key = asked.key
    WHERE asked.amount IS NOT NULL
    GROUP BY asked.instance_id, asked.balance, asked.key
), moved AS (
    SELECT instance_id, balance, key, count(*) AS times, sum(amount) AS amount
    FROM moves
    WHERE (SELECT max(copies) FROM promised) = 1 AND coalesce(balance, '') NOT IN (SELECT balance FROM starts WHERE balance NOT IN (SELECT balance FROM movers))
    GROUP BY instance_id, balance, key
), compared AS (
    SELECT
        coalesce(expected.instance_id, moved.instance_id) AS instance_id,
        coalesce(expected.balance, moved.balance) AS balance,
        coalesce(expected.key, moved.key) AS key,
        coalesce(expected.times, 0) AS times,
        coalesce(moved.times, 0) AS told_times,
        expected.amount,
        moved.amount AS told_amount
    FROM expected
    FULL JOIN moved ON moved.instance_id = expected.instance_id AND moved.balance = expected.balance AND moved.key = expected.key
)
SELECT
    coalesce(starts.balance, told.balance) AS balance,
    coalesce(starts.key, told.key) AS key,
    CASE
        WHEN starts.key IS NULL THEN 'target.yaml has no such number'
        WHEN told.key IS NULL THEN 'it is not told'
        WHEN told.times > 1 THEN 'it is told ' || told.times || ' times'
        ELSE 'it began with ' || told.began || ', and target.yaml says ' || starts.began
    END AS fault
FROM starts
FULL JOIN told ON told.balance = starts.balance AND told.key = starts.key
WHERE starts.key IS NULL OR told.key IS NULL OR told.times > 1 OR told.began IS DISTINCT FROM starts.began
UNION ALL
SELECT
    balance,
    key,
    coalesce(instance_id, 'nobody') || ' moves it ' || told_times || ' times, by ' || coalesce(told_amount, 0)
        || ', and its input says ' || times || ' times, by ' || coalesce(amount, 0)
FROM compared
WHERE times <> told_times OR abs(amount - told_amount) > 0.000001 * (1 + abs(amount))
ORDER BY balance, key, fault
