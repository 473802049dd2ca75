-- claim: An instance that is compensated is compensated in full: no forward effect remains without its compensation.
-- layer: app
-- needs: effects, compensations
-- examined: SELECT count(*) FROM classes WHERE stored
-- catches: compensation_deleted
-- witness: {instance_id} has {forward} and no {compensation}, although it {why}; the ledger holds {ledger}.
SELECT
    classes.instance_id,
    effect_pairs.forward,
    effect_pairs.compensation,
    CASE
        WHEN classes.ends = 'compensated' THEN 'says ' || coalesce(classes.outcome, classes.status)
        ELSE 'compensated something else'
    END AS why
FROM classes
JOIN pairs ON pairs.instance_id = classes.instance_id AND pairs.forwards > 0 AND pairs.compensations = 0
JOIN effect_pairs ON effect_pairs.ordinal = pairs.ordinal AND effect_pairs.compensation IS NOT NULL
WHERE classes.half_compensated
ORDER BY classes.instance_id, effect_pairs.ordinal
