-- claim: No effect happens twice for one instance, however often its activity ran.
-- layer: app
-- needs: effects
-- examined: SELECT count(*) FROM effects
-- catches: forward_duplicated, compensation_duplicated, forward_given_away
-- witness: {instance_id} has {effect} {times} times; the ledger holds {ledger}.
SELECT
    effects.instance_id,
    effects.effect,
    count(*) AS times
FROM effects
WHERE effects.instance_id IN (SELECT instance_id FROM classes WHERE duplicated)
GROUP BY effects.instance_id, effects.effect
HAVING count(*) > 1
ORDER BY effects.instance_id, effects.effect
