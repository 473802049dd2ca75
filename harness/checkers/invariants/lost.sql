-- claim: For every start that a client was told is accepted, the engine has an instance, and if its outcome requires effects, at least one of them happened.
-- layer: not decided
-- examined: SELECT count(*) FROM classes WHERE told = 'accepted'
-- catches: instance_deleted
-- witness: {instance_id} was accepted at {accepted_ns:at}, and {missing}; the ledger holds {ledger}.
SELECT
    instance_id,
    accepted_ns,
    CASE WHEN stored THEN 'the engine says ' || coalesce(outcome, status) ELSE 'the engine has no such instance' END AS missing
FROM classes
WHERE lost
ORDER BY instance_id
