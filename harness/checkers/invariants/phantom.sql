-- claim: Nothing happens for an instance that no client asked for, or whose start was refused at every try. A child workflow is asked for by its parent, whose history has it.
-- layer: not decided
-- examined: SELECT count(*) FROM classes
-- catches: operation_deleted, effect_of_nobody, parent_invented
-- source: Dapr 1.18 orchestrator/run.go (runWorkflow sends child workflows before it saves the turn that ordered them), so the history of a parent may lack what its last turn ordered (docs/findings.md, 8), and one that does not end yet, or is in a later generation, may lack more.
-- witness: {instance_id} was {asked}, but {status}; the ledger holds {ledger}.
SELECT
    instance_id,
    CASE WHEN told = 'refused' THEN 'refused to its client' ELSE 'asked for by no client' END AS asked,
    CASE WHEN stored THEN 'the engine has it as ' || coalesce(status, 'unknown') ELSE 'it has effects' END AS status
FROM classes
WHERE phantom
UNION ALL
SELECT
    children.instance_id,
    'ordered by ' || children.parent_id || ', whose history has no child workflow ' || coalesce(children.workflow, 'without a name'),
    'the engine has it as ' || coalesce(children.status, 'unknown')
FROM instances AS children
JOIN (
    SELECT
        history.instance_id,
        list(history.name) FILTER (WHERE history.event = 'childWorkflowInstanceCreated') AS ordered,
        max(history.event_id) FILTER (WHERE history.event <> 'executionCompleted') AS last_id,
        max(history.event_id) FILTER (WHERE history.event = 'executionCompleted') AS end_id
    FROM history
    JOIN instances ON instances.instance_id = history.instance_id
    WHERE instances.status = 'COMPLETED'
        AND instances.generation = 1
        AND history.instance_id IN (SELECT parent_id FROM instances WHERE parent_id IS NOT NULL)
    GROUP BY history.instance_id
) AS parents ON parents.instance_id = children.parent_id
WHERE parents.end_id = parents.last_id + 1 AND NOT coalesce(list_contains(parents.ordered, children.workflow), FALSE)
ORDER BY instance_id, asked
