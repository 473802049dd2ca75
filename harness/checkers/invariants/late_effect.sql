-- claim: No effect of a completed instance is committed after the instance has ended.
-- layer: app
-- needs: effects, times
-- examined: SELECT count(*) FROM classes WHERE ended AND forwards + compensations > 0
-- catches: effect_late
-- witness: {instance_id} ended at {completed_ns:at}, and {effect} was committed at {at_ns:at}; the ledger holds {ledger}.
SELECT
    effects.instance_id,
    classes.completed_ns,
    effects.effect,
    effects.at_ns,
    effects.source,
    effects.position
FROM effects
JOIN classes ON classes.instance_id = effects.instance_id AND classes.ended AND effects.at_ns > classes.completed_ns
ORDER BY effects.instance_id, effects.at_ns, effects.source, effects.position
