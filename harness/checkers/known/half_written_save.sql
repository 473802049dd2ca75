-- title: A save that loses the race for a workflow is written half.
-- number: 6
-- layer: store
-- seen: 1.18.2
-- upstream: dapr/components-contrib#2071
-- explains: history_whole, history_clock, left_behind
-- sentence: {instance_id}: {shape}; two sidecars may have owned it, after {fault} of {node} ({applied_ns:at} to {healed_ns:at}),
--   and of a save that is refused at its last row Redis keeps those in front.
WITH counted AS (
    -- Rows that no metadata counts. The contest itself must have lasted into the instance's life.
    SELECT
        instance_id,
        coalesce(created_ns, 0) + 15000000000 AS from_ns,
        coalesce(completed_ns, 9223372036854775807) AS to_ns,
        'the store holds ' || inbox_rows || ' rows of its inbox and ' || history_rows || ' of its history, of which metadata counts '
            || inbox_length || ' and ' || history_length AS shape
    FROM instances
    WHERE history_length > 0
        AND (
            (inbox_rows > inbox_length AND history_rows >= history_length)
            OR history_rows > history_length
        )
), turns AS (
    SELECT
        instance_id,
        event,
        at_ns,
        count_if(event = 'workflowStarted') OVER (PARTITION BY instance_id ORDER BY position) AS turn
    FROM suspects
), heads AS (
    -- The head of a turn is from a later one: what the turn ordered is older than its head.
    SELECT
        instance_id,
        max(at_ns) FILTER (WHERE event = 'workflowStarted') AS at_ns,
        min(at_ns) FILTER (WHERE event IN ('taskScheduled', 'timerCreated')) AS ordered_ns
    FROM turns
    GROUP BY instance_id, turn
    HAVING count_if(event = 'workflowStarted') = 1
), overwritten AS (
    SELECT
        heads.instance_id,
        max(heads.at_ns) - 15000000000 AS from_ns,
        max(heads.at_ns) AS to_ns,
        'a turn of its history begins ' || ((max(heads.at_ns - heads.ordered_ns)) / 1000000)::BIGINT
            || ' ms after what it ordered, so its first row is of another save' AS shape
    FROM heads
    JOIN histories ON histories.instance_id = heads.instance_id
    WHERE histories.whole AND heads.at_ns > heads.ordered_ns + 1000000
    GROUP BY heads.instance_id
    HAVING count(*) = 1
), found AS (
    SELECT instance_id, from_ns, to_ns, shape FROM counted
    UNION ALL
    SELECT instance_id, from_ns, to_ns, shape FROM overwritten
)
SELECT
    found.instance_id,
    found.shape,
    arg_max(contests.fault, contests.applied_ns) AS fault,
    arg_max(contests.node, contests.applied_ns) AS node,
    max(contests.applied_ns) AS applied_ns,
    arg_max(contests.healed_ns, contests.applied_ns) AS healed_ns
FROM found
JOIN contests ON contests.applied_ns < found.to_ns AND contests.until_ns > found.from_ns
GROUP BY found.instance_id, found.shape
ORDER BY found.instance_id, found.shape
