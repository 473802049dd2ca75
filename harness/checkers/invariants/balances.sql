-- claim: Every balance is what it was at the start, moved by what each completed instance should have moved it by.
-- layer: app
-- needs: balances
-- examined: SELECT count(*) FROM moves
-- catches: balance_shifted, move_deleted
-- source: An instance that was compensated or rejected has moved nothing in the end. One of which the evidence does not decide the end may have moved it or not, so the balance may lie between both. The tolerance is that of sums of floating-point numbers.
-- witness: {balance} of {key} was {began} and is {ended}; {instances} completed instances moved it by {moved}, so it must be {expected}: {missing} of it is not accounted for.
WITH summed AS (
    SELECT
        moves.balance,
        moves.key,
        count_if(classes.ended AND classes.ends = 'completed') AS instances,
        sum(CASE WHEN classes.ended AND classes.ends = 'completed' THEN moves.amount ELSE 0 END) AS moved,
        sum(CASE WHEN classes.ended AND classes.ends IS NOT NULL THEN 0 ELSE least(moves.amount, 0) END) AS lowest,
        sum(CASE WHEN classes.ended AND classes.ends IS NOT NULL THEN 0 ELSE greatest(moves.amount, 0) END) AS highest
    FROM moves
    JOIN classes ON classes.instance_id = moves.instance_id
    GROUP BY moves.balance, moves.key
), compared AS (
    SELECT
        balances.balance,
        balances.key,
        balances.began,
        balances.ended,
        coalesce(summed.instances, 0) AS instances,
        coalesce(summed.moved, 0) AS moved,
        balances.began + coalesce(summed.moved, 0) AS expected,
        coalesce(summed.lowest, 0) AS lowest,
        coalesce(summed.highest, 0) AS highest
    FROM balances
    LEFT JOIN summed ON summed.balance = balances.balance AND summed.key = balances.key
)
SELECT balance, key, began, ended, instances, moved, expected, abs(ended - expected) AS missing
FROM compared
WHERE ended < expected + lowest - 0.000001 * (1 + abs(expected))
    OR ended > expected + highest + 0.000001 * (1 + abs(expected))
ORDER BY balance, key
