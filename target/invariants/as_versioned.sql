-- claim: An order in versions runs as one of them, from its first turn to its last: what it says at its end, which version or patches the engine has of it, and the order of its activities agree.
-- layer: app
-- workflows: versioned_order, patched_order
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED' AND workflow IN ('versioned_order', 'patched_order')
-- plants: UPDATE instances SET output = json_merge_patch(output, '{"version": "order_v3"}') WHERE instance_id = (SELECT min(instance_id)
--   FROM instances WHERE workflow = 'versioned_order' AND status = 'COMPLETED');
--   UPDATE history SET version = 'order_v3' WHERE event = 'workflowStarted' AND instance_id = (SELECT min(instance_id)
--   FROM instances WHERE workflow = 'versioned_order' AND status = 'COMPLETED');
--   UPDATE instances SET output = json_merge_patch(output, '{"patches": ["another"]}') WHERE instance_id = (SELECT min(instance_id)
--   FROM instances WHERE workflow = 'patched_order' AND status = 'COMPLETED');
--   UPDATE history SET name = 'quote_v1' WHERE event = 'taskScheduled' AND name = 'confirm_order_v1';
--   UPDATE history SET name = 'confirm_order_v1' WHERE event = 'taskScheduled' AND name = 'release_stock_v1'
-- source: target/versions.py. The first version reserves the stock before it asks the providers, the second asks them first, and confirms an order that it has shipped. The engine saves a patch with the turn that is the first to apply it (Dapr 1.18 orchestrator/versioning.go, compactPatches). An instance in a later generation has lost its earlier history; what the last turn ordered may be missing in the history (docs/findings.md, 8), and then its body tells.
-- witness: {instance_id} ({workflow}) says {told:or}: {what}.
WITH ended AS (
    SELECT
        instance_id,
        workflow,
        outcome,
        json_extract_string(output, '$.version') AS version,
        replace(CAST(json_extract(output, '$.patches') AS VARCHAR), ', ', ',') AS patches
    FROM instances
    WHERE status = 'COMPLETED' AND workflow IN ('versioned_order', 'patched_order') AND generation = 1
), tasks AS (
    SELECT
        ended.instance_id,
        min(CASE WHEN history.name = 'reserve_stock_v1' THEN history.task_id END) AS reserve_id,
        min(CASE WHEN history.name = 'quote_v1' THEN history.task_id END) AS quote_id,
        count(CASE WHEN history.name = 'confirm_order_v1' THEN 1 END) AS confirmed,
        max(CASE WHEN bodies.instance_id IS NOT NULL THEN 1 ELSE 0 END) AS executed
    FROM ended
    LEFT JOIN history ON history.instance_id = ended.instance_id AND history.event = 'taskScheduled'
    LEFT JOIN (
        SELECT DISTINCT instance_id
        FROM attempts
        WHERE activity = 'confirm_order_v1' AND outcome = 'ok'
    ) AS bodies ON bodies.instance_id = ended.instance_id
    GROUP BY ended.instance_id
), turns_of AS (
    SELECT
        ended.instance_id,
        max(history.version) AS version,
        string_agg(history.patches, '' ORDER BY history.position) AS patches
    FROM ended
    LEFT JOIN history ON history.instance_id = ended.instance_id AND history.event = 'workflowStarted'
    GROUP BY ended.instance_id
), judged AS (
    SELECT
        ended.instance_id,
        ended.workflow,
        coalesce(ended.version, ended.patches) AS told,
        CASE
            WHEN tasks.reserve_id IS NULL AND tasks.quote_id IS NULL THEN NULL
            WHEN ended.workflow = 'versioned_order' AND coalesce(ended.version, '') NOT IN ('order_v1', 'order_v2') THEN 'there is no such version'
            WHEN ended.workflow = 'versioned_order' AND turns_of.version IS DISTINCT FROM ended.version
                THEN 'the engine has it as ' || coalesce(turns_of.version, 'no version')
            WHEN ended.workflow = 'patched_order' AND ended.patches IS DISTINCT FROM replace(coalesce(replace(turns_of.patches, '][', ','), '[]'), ', ', ',')
                THEN 'the engine has the patches ' || coalesce(turns_of.patches, 'none')
            WHEN (coalesce(tasks.quote_id, 1000000) < coalesce(tasks.reserve_id, 1000000))
                <> (coalesce(ended.version, '') = 'order_v2' OR coalesce(ended.patches, '') LIKE '%quotes_first%')
                THEN 'its activities are in the order of the other version'
            WHEN tasks.confirmed > 0 AND ended.outcome <> 'completed' THEN 'it was confirmed, and was not shipped'
            WHEN tasks.confirmed > 0 AND coalesce(ended.version, 'order_v1') = 'order_v1' AND coalesce(ended.patches, '') NOT LIKE '%confirmed%'
                THEN 'it was confirmed, as only the second version is'
            WHEN tasks.confirmed = 0 AND tasks.executed = 0 AND ended.outcome = 'completed' AND (ended.version = 'order_v2' OR ended.patches LIKE '%confirmed%')
                THEN 'it was not confirmed'
        END AS what
    FROM ended
    LEFT JOIN tasks ON tasks.instance_id = ended.instance_id
    LEFT JOIN turns_of ON turns_of.instance_id = ended.instance_id
)
SELECT instance_id, workflow, told, what
FROM judged
WHERE what IS NOT NULL
ORDER BY instance_id, what
