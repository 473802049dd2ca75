-- claim: Every effect was made by an activity: while a body of its instance ran, or after a body was interrupted or failed, because a request of that body may still have been on its way. An activity of a child workflow may make effects of the instance at the head of its family.
-- layer: not decided
-- needs: attempts, effects, times
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM effects) ELSE 0 END
-- catches: effect_moved, effect_of_nobody
-- witness: {instance_id}: {effect} was committed at {at_ns:at} in {source}, while no activity of it ran; the ledger holds {ledger}.
WITH ran AS (
    SELECT instance_id, started_ns, ended_ns, outcome
    FROM attempts
    UNION ALL
    SELECT instances.root_id, attempts.started_ns, attempts.ended_ns, attempts.outcome
    FROM attempts
    JOIN instances ON instances.instance_id = attempts.instance_id AND instances.root_id IS NOT NULL
)
SELECT
    effects.instance_id,
    effects.effect,
    effects.at_ns,
    effects.source,
    effects.position
FROM effects
ANTI JOIN ran
    ON ran.instance_id = effects.instance_id
    AND ran.started_ns <= effects.at_ns
    AND (ran.outcome IS DISTINCT FROM 'ok' OR ran.ended_ns >= effects.at_ns)
WHERE EXISTS (SELECT 1 FROM attempts)
ORDER BY effects.instance_id, effects.at_ns, effects.source, effects.position
