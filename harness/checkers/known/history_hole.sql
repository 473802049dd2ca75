-- title: After a save that failed the engine goes on as if it had been made, and the history has a hole.
-- number: 4
-- layer: engine
-- seen: 1.18.2
-- explains: history_begins, history_tasks, history_whole, stuck, record_readings
-- sentence: {instance_id}: positions {first_missing} to {last_missing} of its history, whole turns, are in no row, although metadata
--   counts {history_length}; they were saved between {before_ns:at} and {after_ns:at}, while the store was hit by {fault} of {node}
--   ({applied_ns:at} to {healed_ns:at}).
WITH hits AS (
    -- When a save could fail: the store was killed or cut off, or refused writes; until a second later.
    SELECT fault, node, coalesce(begun_ns, applied_ns) AS applied_ns, healed_ns,
        coalesce(healed_ns + 1000000000, 9223372036854775807) AS until_ns
    FROM faults
    WHERE applied_ns IS NOT NULL AND (node = 'redis' OR node LIKE '%->redis')
), holed AS (
    -- Required: one gap, and no other; what follows it is the head of a turn, so the gap is of whole turns. A row that is lost
    -- by itself, at the end, or out of the middle of a turn is something else.
    SELECT
        history.instance_id,
        history.position,
        history.event,
        history.at_ns,
        coalesce(lag(history.position) OVER turns, -1) AS before_position,
        lag(history.at_ns) OVER turns AS before_ns
    FROM history
    JOIN instances ON instances.instance_id = history.instance_id
    WHERE instances.history_length > instances.history_rows
        AND instances.history_length = (
            SELECT max(every.position) + 1 FROM history AS every WHERE every.instance_id = history.instance_id
        )
    WINDOW turns AS (PARTITION BY history.instance_id ORDER BY history.position)
), gaps AS (
    SELECT
        instance_id,
        max(before_position) FILTER (WHERE position > before_position + 1) + 1 AS first_missing,
        max(position) FILTER (WHERE position > before_position + 1) - 1 AS last_missing,
        max(before_ns) FILTER (WHERE position > before_position + 1) AS before_ns,
        max(at_ns) FILTER (WHERE position > before_position + 1) AS after_ns,
        count_if(position > before_position + 1) AS gaps,
        count_if(position > before_position + 1 AND event = 'workflowStarted') AS whole_turns
    FROM holed
    GROUP BY instance_id
)
SELECT
    gaps.instance_id,
    gaps.first_missing,
    gaps.last_missing,
    instances.history_length,
    coalesce(gaps.before_ns, classes.invoked_ns) AS before_ns,
    gaps.after_ns,
    arg_max(hits.fault, hits.applied_ns) AS fault,
    arg_max(hits.node, hits.applied_ns) AS node,
    max(hits.applied_ns) AS applied_ns,
    arg_max(hits.healed_ns, hits.applied_ns) AS healed_ns
FROM gaps
JOIN instances ON instances.instance_id = gaps.instance_id
JOIN classes ON classes.instance_id = gaps.instance_id
JOIN hits
    ON hits.applied_ns < gaps.after_ns
    AND hits.until_ns > coalesce(gaps.before_ns, classes.invoked_ns)
WHERE gaps.gaps = 1 AND gaps.whole_turns = 1
GROUP BY ALL
ORDER BY gaps.instance_id
