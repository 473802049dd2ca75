-- claim: Every effect was made by an activity: while a body of its instance ran, or after a body was interrupted or failed, because a request of that body may still have been on its way.
-- layer: not decided
-- needs: attempts, effects, times
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM effects) ELSE 0 END
-- catches: effect_moved, effect_of_nobody
-- witness: {instance_id}: {effect} was committed at {at_ns:at} in {source}, while no activity of it ran; the ledger holds {ledger}.
SELECT
    effects.instance_id,
    effects.effect,
    effects.at_ns,
    effects.source,
    effects.position
FROM effects
ANTI JOIN attempts
    ON attempts.instance_id = effects.instance_id
    AND attempts.started_ns <= effects.at_ns
    AND (attempts.outcome IS DISTINCT FROM 'ok' OR attempts.ended_ns >= effects.at_ns)
WHERE EXISTS (SELECT 1 FROM attempts)
ORDER BY effects.instance_id, effects.at_ns, effects.source, effects.position
