-- claim: Nothing happens for an instance that no client asked for, or whose start was refused at every try.
-- layer: not decided
-- examined: SELECT count(*) FROM classes
-- catches: operation_deleted, effect_of_nobody
-- witness: {instance_id} was {asked}, but {status}; the ledger holds {ledger}.
SELECT
    instance_id,
    CASE WHEN told = 'refused' THEN 'refused to its client' ELSE 'asked for by no client' END AS asked,
    CASE WHEN stored THEN 'the engine has it as ' || coalesce(status, 'unknown') ELSE 'it has effects' END AS status
FROM classes
WHERE phantom
ORDER BY instance_id
