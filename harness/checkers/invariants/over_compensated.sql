-- claim: No effect is compensated that did not happen, or more often than it happened.
-- layer: app
-- needs: effects, compensations
-- examined: SELECT count(*) FROM classes WHERE stored
-- catches: compensated_forward_deleted, compensation_duplicated
-- witness: {instance_id} has {compensations} times {compensation} for {forwards} times {forward}; the ledger holds {ledger}.
SELECT
    classes.instance_id,
    effect_pairs.forward,
    effect_pairs.compensation,
    pairs.forwards,
    pairs.compensations
FROM classes
JOIN pairs ON pairs.instance_id = classes.instance_id AND pairs.compensations > pairs.forwards
JOIN effect_pairs ON effect_pairs.ordinal = pairs.ordinal
WHERE classes.over_compensated
ORDER BY classes.instance_id, effect_pairs.ordinal
