-- claim: A history has at most one end and no event after it, and the instance's status, times and output are those of its events.
-- layer: engine
-- examined: SELECT count(*) FROM instances
-- catches: ended_twice, event_after_end, end_deleted, output_changed, status_failed, status_lost, instance_start_shifted, instance_renamed
-- source: durabletask-go backend/orchestration.go (a completed workflow drops its work items) and backend/runtimestate/runtimestate.go (RuntimeStatus).
-- witness: {instance_id} is {status:or}: {fault}.
WITH ends AS (
    SELECT instance_id, position, at_ns, payload, error
    FROM history
    WHERE event = 'executionCompleted'
), wrong AS (
    SELECT
        instances.instance_id,
        instances.status,
        CASE
            WHEN ends.instance_id IS NULL THEN
                CASE
                    WHEN instances.status IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED')
                    THEN 'it has no executionCompleted event'
                END
            WHEN instances.status IS NULL
                OR instances.status NOT IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED')
                THEN 'it has an executionCompleted event'
            WHEN (instances.status = 'COMPLETED') <> (ends.error IS NULL) AND instances.status <> 'TERMINATED'
                THEN 'its last event says ' || coalesce(ends.error, 'nothing of an error')
            WHEN instances.completed_ns IS DISTINCT FROM ends.at_ns THEN 'its end is not the time of its last event'
            WHEN coalesce(instances.output, '') <> coalesce(ends.payload, '') THEN 'its output is not that of its last event'
        END AS fault
    FROM instances
    LEFT JOIN ends USING (instance_id)
    UNION ALL
    SELECT instances.instance_id, instances.status, 'its start is not that of its executionStarted event'
    FROM instances
    JOIN (
        SELECT instance_id, created_ns, workflow FROM histories WHERE orderly
        UNION ALL
        SELECT instance_id, at_ns, name FROM suspects WHERE event = 'executionStarted'
    ) AS starts ON starts.instance_id = instances.instance_id
    WHERE instances.created_ns IS DISTINCT FROM starts.created_ns OR instances.workflow IS DISTINCT FROM starts.workflow
    UNION ALL
    SELECT suspects.instance_id, NULL, suspects.event || ' at ' || suspects.position || ' comes after its end'
    FROM suspects
    JOIN (
        SELECT instance_id, min(position) AS position FROM suspects WHERE event = 'executionCompleted' GROUP BY instance_id
    ) AS first_end USING (instance_id)
    WHERE suspects.position > first_end.position
)
SELECT instance_id, max(status) AS status, string_agg(DISTINCT fault, '; ' ORDER BY fault) AS fault
FROM wrong
WHERE fault IS NOT NULL
GROUP BY instance_id
ORDER BY instance_id
