-- claim: The outcome of an instance agrees with the ledger: the ledger holds each effect that the outcome requires, and none that it rules out.
-- layer: app
-- needs: effects
-- examined: SELECT count(*) FROM classes WHERE stored
-- catches: forward_deleted, forward_given_away, outcome_flipped, instance_renamed
-- witness: {instance_id}: the engine says {says}; its outcome requires {calls:or}; the ledger holds {ledger}.
SELECT
    classes.instance_id,
    CASE
        WHEN NOT classes.stored THEN 'nothing of it'
        WHEN classes.asked_workflow <> classes.workflow
            THEN 'it is ' || classes.workflow || ', started as ' || classes.asked_workflow
        ELSE classes.status || coalesce(' ' || classes.outcome, '')
    END AS says,
    (
        SELECT string_agg(effect_pairs.forward, ', ' ORDER BY effect_pairs.ordinal)
        FROM effect_pairs
        WHERE classes.calls & (1::BIGINT << effect_pairs.ordinal) <> 0
    ) AS calls
FROM classes
WHERE classes.contradiction
ORDER BY classes.instance_id
