-- claim: The engine's metadata of each instance agrees with the rows that are stored: the history rows, whose positions begin at 0 and have no gap, and the inbox rows.
-- layer: store
-- examined: SELECT count(*) FROM instances
-- catches: history_deleted, history_duplicated, history_given_away, metadata_changed
-- source: Dapr 1.18 pkg/runtime/wfengine/state/state.go (GetSaveRequest writes rows and metadata in one transaction; Redis does not roll one back).
-- witness: {instance_id}: metadata counts {history_length:or} history rows and {inbox_length:or} inbox rows; the store had {history_rows:or} and {inbox_rows:or}; {events} history rows were read{gap}.
SELECT
    coalesce(instances.instance_id, histories.instance_id) AS instance_id,
    instances.history_length,
    instances.history_rows,
    instances.inbox_length,
    instances.inbox_rows,
    coalesce(histories.events, 0) AS events,
    CASE WHEN histories.whole THEN '' ELSE ', with gaps or repeats' END AS gap
FROM instances
FULL JOIN histories ON histories.instance_id = instances.instance_id
WHERE instances.instance_id IS NULL
    OR instances.history_length IS DISTINCT FROM instances.history_rows
    OR instances.history_rows IS DISTINCT FROM coalesce(histories.events, 0)
    OR instances.inbox_length IS DISTINCT FROM instances.inbox_rows
    OR NOT coalesce(histories.whole, TRUE)
ORDER BY 1, events
