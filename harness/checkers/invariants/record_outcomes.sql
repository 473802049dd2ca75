-- claim: The outcome of an instance is the one that its output names, and an instance that has not ended has neither an end nor an output.
-- severity: unknown
-- examined: SELECT count(*) FROM instances
-- catches: outcome_undeclared, outcome_flipped, output_changed, ended_without_end
-- source: harness/evidence/engine.py; target.yaml names the field of the output (`outcome`); a longer JMESPath is not followed here.
-- witness: {instance_id} is {status:or}: {fault}.
WITH valid AS (
    SELECT
        instances.instance_id,
        outcome_fields.field,
        CASE WHEN json_valid(instances.output) THEN instances.output ELSE 'null' END AS output
    FROM instances
    JOIN outcome_fields ON outcome_fields.workflow = instances.workflow
), found AS (
    SELECT
        instance_id,
        json_type(output, '$."' || field || '"') AS type,
        json_extract_string(output, '$."' || field || '"') AS word
    FROM valid
), doubted AS (
    SELECT
        instances.instance_id,
        instances.status,
        CASE
            WHEN instances.status IS NULL OR instances.status NOT IN (
                    'COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED', 'RUNNING', 'PENDING', 'SUSPENDED', 'STALLED', 'CONTINUED_AS_NEW'
                )
                THEN 'the engine has no such status'
            WHEN instances.status NOT IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED')
                AND (instances.completed_ns IS NOT NULL OR instances.output IS NOT NULL OR instances.outcome IS NOT NULL)
                THEN 'it has not ended, and has an end'
            WHEN instances.completed_ns < instances.created_ns THEN 'it ended before it was created'
            WHEN found.type IN ('VARCHAR', 'BOOLEAN', 'BIGINT', 'UBIGINT') AND instances.outcome IS DISTINCT FROM found.word
                THEN 'its output names the outcome ' || found.word || ', and not ' || coalesce(instances.outcome, 'none')
            WHEN found.instance_id IS NOT NULL AND coalesce(found.type, 'NULL') IN ('NULL', 'OBJECT', 'ARRAY') AND instances.outcome IS NOT NULL
                THEN 'its output names no outcome, and not ' || instances.outcome
        END AS fault
    FROM instances
    LEFT JOIN found ON found.instance_id = instances.instance_id
)
SELECT instance_id, status, fault
FROM doubted
WHERE fault IS NOT NULL
ORDER BY instance_id, fault
