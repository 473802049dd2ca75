-- claim: An instance ends in one of the ways that its kind allows.
-- layer: app
-- examined: SELECT count(*) FROM classes WHERE class IN ('completed', 'compensated', 'rejected', 'refused')
-- catches: kind_changed
-- witness: {instance_id} is of kind {kind}, which must end {allowed:or}, and was {class}; the ledger holds {ledger}.
SELECT
    classes.instance_id,
    classes.kind,
    classes.class,
    (
        SELECT string_agg(kinds.ends, ' or ' ORDER BY kinds.ends)
        FROM kinds
        WHERE kinds.workflow = classes.asked_workflow AND kinds.kind = classes.kind
    ) AS allowed
FROM classes
WHERE classes.class IN ('completed', 'compensated', 'rejected', 'refused')
    AND classes.kind IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM kinds
        WHERE kinds.workflow = classes.asked_workflow AND kinds.kind = classes.kind AND kinds.ends = classes.class
    )
ORDER BY classes.instance_id
