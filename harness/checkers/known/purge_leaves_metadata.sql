-- title: A purge beside a turn of the workflow leaves its row of metadata, and it is PENDING for ever.
-- number: 17
-- layer: engine
-- seen: 1.18.2
-- explains: history_whole, not_purged, record_readings, stuck
-- sentence: {instance_id}: its purge ({request_id}) was on its way from {invoked_ns:at} to {completed_ns:at}; the metadata counts
--   {history_length} rows of its history, of which the store has none, and the store has {inbox_rows} rows of its inbox.
WITH purged AS (
    SELECT
        instance_id,
        min(request_id) AS request_id,
        min(invoked_ns) AS invoked_ns,
        max(completed_ns) AS completed_ns
    FROM requests
    WHERE operation = 'purge' AND outcome = 'ok'
    GROUP BY instance_id
)
-- Required: nothing of the history is left, and the metadata counts one; at most the inbox that it counts is there. No application
-- writes or deletes such rows.
SELECT
    instances.instance_id,
    purged.request_id,
    purged.invoked_ns,
    purged.completed_ns,
    instances.history_length,
    instances.inbox_rows
FROM instances
JOIN purged ON purged.instance_id = instances.instance_id
WHERE instances.status = 'PENDING'
    AND instances.history_rows = 0
    AND instances.inbox_rows <= instances.inbox_length
    AND instances.history_length > 0
    -- Required: nobody hit the store, which might have lost the rest.
    AND NOT EXISTS (SELECT 1 FROM faults WHERE contains(node, 'redis') OR contains(node, 'postgres'))
ORDER BY instances.instance_id
