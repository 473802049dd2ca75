-- claim: Every effect was made by the activity that makes such effects: while a body of it ran, or after one was interrupted or failed.
-- layer: app
-- examined: SELECT CASE WHEN EXISTS (SELECT 1 FROM attempts) THEN (SELECT count(*) FROM effects) ELSE 0 END
-- catches: effect_elsewhere
-- needs: attempts, effects, times
-- source: target.yaml says which activity makes which effect. An effect of which it does not say that is not looked at here. An activity of a child workflow may make effects of the instance at the head of its family.
-- witness: {instance_id}: {effect} was committed at {at_ns:at} in {source}, while no activity ran that makes it; the ledger holds {ledger}.
WITH ran AS (
    SELECT instance_id, activity, started_ns, ended_ns, outcome
    FROM attempts
    UNION ALL
    SELECT instances.root_id, attempts.activity, attempts.started_ns, attempts.ended_ns, attempts.outcome
    FROM attempts
    JOIN instances ON instances.instance_id = attempts.instance_id AND instances.root_id IS NOT NULL
), able AS (
    SELECT ran.instance_id, makers.effect, ran.started_ns, ran.ended_ns, ran.outcome
    FROM ran
    JOIN (SELECT DISTINCT activity, effect FROM makers WHERE effect IS NOT NULL) AS makers ON makers.activity = ran.activity
)
SELECT effects.instance_id, effects.effect, effects.at_ns, effects.source, effects.position
FROM effects
ANTI JOIN able
    ON able.instance_id = effects.instance_id
    AND able.effect = effects.effect
    AND able.started_ns <= effects.at_ns
    AND (able.outcome IS DISTINCT FROM 'ok' OR able.ended_ns >= effects.at_ns)
WHERE EXISTS (SELECT 1 FROM attempts) AND effects.effect IN (SELECT effect FROM makers WHERE effect IS NOT NULL)
ORDER BY effects.instance_id, effects.at_ns, effects.source, effects.position
