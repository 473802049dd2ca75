-- claim: The evidence contains each call, attempt and instance only once, and the positions in each ledger are unique and have no gap.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM attempts) + (SELECT count(*) FROM instances) + (SELECT count(*) FROM effects)
-- catches: forward_deleted, forward_duplicated, instance_duplicated, attempt_duplicated, operation_duplicated
-- witness: the evidence has {what} {times} times, but must have it {expected} times.
SELECT 'the call ' || coalesce(op_id, 'without an id') AS what, count(*) AS times, 1 AS expected
FROM operations
GROUP BY op_id
HAVING count(*) > 1 OR op_id IS NULL
UNION ALL
SELECT 'the attempt ' || coalesce(attempt_id, 'without an id'), count(*), 1
FROM attempts
GROUP BY attempt_id
HAVING count(*) > 1 OR attempt_id IS NULL
UNION ALL
SELECT 'the instance ' || coalesce(instance_id, 'without an id'), count(*), 1
FROM instances
GROUP BY instance_id
HAVING count(*) > 1 OR instance_id IS NULL
UNION ALL
SELECT 'a row of the ledger ' || coalesce(source, 'without a name'), count(*), max(position) + 1
FROM effects
GROUP BY source
HAVING count(*) <> max(position) + 1 OR count(DISTINCT position) <> count(*) OR source IS NULL
ORDER BY what
