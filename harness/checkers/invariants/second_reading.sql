-- claim: Dapr's workflow API says the same about an instance as its stored rows: that it exists, its workflow, its status, its output, its start and its last event.
-- examined: SELECT count(*) FROM readings WHERE error IS NULL
-- catches: reading_status_flipped, reading_output_changed, reading_undone, reading_lost, reading_invented, reading_renamed, reading_moved, instance_start_shifted
-- source: Dapr 1.18 pkg/runtime/wfengine/backends/actors/actors.go (GetWorkflowMetadata) and durabletask-go backend/runtimestate/runtimestate.go (RuntimeStatus, LastUpdatedTime). Every instance is read through the API; if there are more than 3,000, then 3,000 that the seed chooses. An instance that was read before it ended may have ended since. What happened less than five seconds before a reading may be missing in it.
-- witness: {instance_id}: Dapr's API said {told:or} at {asked_ns:at}, and the stored rows say {stored:or}: {fault}.
WITH last AS (
    SELECT instance_id, arg_max(at_ns, position) AS at_ns
    FROM history
    WHERE instance_id IN (SELECT instance_id FROM readings)
    GROUP BY instance_id
), compared AS (
    SELECT
        readings.instance_id,
        readings.asked_ns,
        readings.status AS told,
        instances.status AS stored,
        CASE
            WHEN readings.status IS NULL THEN
                CASE
                    WHEN instances.instance_id IS NOT NULL
                        AND coalesce(instances.created_ns, 0) < readings.asked_ns - 5000000000
                    THEN 'Dapr knows no such instance'
                END
            WHEN instances.instance_id IS NULL THEN 'the store has no such instance'
            WHEN readings.status NOT IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED') THEN
                CASE
                    WHEN instances.completed_ns < readings.asked_ns - 5000000000 THEN 'it had ended before it was asked for'
                END
            WHEN readings.status IS DISTINCT FROM instances.status THEN 'its status differs'
            WHEN coalesce(readings.output, '') <> coalesce(instances.output, '') THEN 'its output differs'
            WHEN readings.workflow IS DISTINCT FROM instances.workflow THEN 'its workflow differs'
            WHEN readings.created_ns IS DISTINCT FROM instances.created_ns THEN 'its start differs'
            WHEN readings.updated_ns IS DISTINCT FROM last.at_ns THEN 'its last event differs'
        END AS fault
    FROM readings
    LEFT JOIN instances ON instances.instance_id = readings.instance_id
    LEFT JOIN last ON last.instance_id = readings.instance_id
    WHERE readings.error IS NULL
)
SELECT instance_id, asked_ns, told, stored, fault
FROM compared
WHERE fault IS NOT NULL
ORDER BY instance_id, fault
