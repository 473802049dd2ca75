-- claim: Dapr and its scheduler were asked once for each instance, by way of a sidecar of the run, and answered after that; all instances were asked for, unless they are more than 3,000.
-- severity: unknown
-- examined: SELECT count(*) FROM readings
-- catches: reading_missing, reading_duplicated, reading_answered_first, reading_half_told
-- source: harness/evidence/api.py and jobs.py. In a synthetic run only the first copy has readings.
-- witness: {instance_id:or}: {fault}.
WITH known AS (
    SELECT instance_id FROM instances
    UNION
    SELECT instance_id FROM operations
), doubted AS (
    SELECT
        instance_id,
        CASE
            WHEN node IS NULL OR node NOT IN (SELECT node FROM nodes) OR NOT starts_with(node, 'sidecar-')
                THEN 'it was asked for at ' || coalesce(node, 'nobody') || ', which is no sidecar'
            WHEN answered_ns < asked_ns THEN 'the answer came before the question'
            WHEN answered_ns - asked_ns > 600000000000 THEN 'the answer came more than ten minutes after the question'
            WHEN status IS NULL AND (output IS NOT NULL OR workflow IS NOT NULL OR created_ns IS NOT NULL OR updated_ns IS NOT NULL)
                THEN 'there is no status, and more is told of it'
            WHEN answered_ns IS NULL AND status IS NOT NULL THEN 'there is a status, and no answer'
            WHEN answered_ns IS NULL AND error IS NULL THEN 'there is no answer, and nothing says why'
            WHEN updated_ns < created_ns THEN 'it was updated before it was created'
        END AS fault
    FROM readings
)
SELECT instance_id, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT instance_id, 'it was read ' || count(*) || ' times'
FROM readings
GROUP BY instance_id
HAVING count(*) > 1 OR instance_id IS NULL
UNION ALL
SELECT known.instance_id, 'it was not asked for'
FROM known
WHERE known.instance_id NOT IN (SELECT instance_id FROM readings WHERE instance_id IS NOT NULL)
    AND (SELECT count(*) FROM known) <= 3000
    AND EXISTS (SELECT 1 FROM readings)
    AND (SELECT max(copies) FROM promised) = 1
    AND (SELECT count(*) FROM ids_by_answer) = 0
UNION ALL
SELECT instance_id, 'the scheduler has a job ' || coalesce(name, 'without a name') || ' of the kind ' || coalesce(kind, 'that is missing')
FROM jobs
WHERE kind IS NULL OR kind NOT IN ('workflow', 'activity') OR (kind = 'workflow') <> (task_id IS NULL)
ORDER BY instance_id, fault
