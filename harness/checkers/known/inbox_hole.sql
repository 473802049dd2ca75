-- title: After a save that was canceled the engine writes an inbox with a hole.
-- number: 4
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- upstream: dapr/dapr#10155
-- explains: history_whole, stuck, left_behind, record_readings
-- sentence: {instance_id} is {status}: its metadata counts {inbox_length} events in the inbox and the store has {inbox_rows},
--   with all its {history_rows} rows of history there; {because} ({fault} of {node} was at {applied_ns:at}).
WITH odd AS (
    -- An event that was kept in memory and saved nowhere counts as the inbox's first, so the next one is saved behind a hole.
    -- Two shapes, both with a whole history, and a fault of the scheduler, of placement or of a sidecar that cut off calls in the
    -- instance's life, or no more than half a minute before. The workflow cannot be loaded any more: metadata counts more
    -- events than are stored, at least one of them is there, and a job tries again without end. Or its owner lived on and took
    -- all of them in one turn, from memory: then the row stays, and the turn whose call was canceled shows itself: it took the
    -- result of a task that it ordered itself, behind another event. Where that was the workflow's last turn, neither has a row
    -- (last_task_unrecorded). (A row that stays for want of both is half_written_save.)
    SELECT
        instance_id,
        status,
        coalesce(created_ns, 0) AS created_ns,
        coalesce(completed_ns, 9223372036854775807) AS completed_ns,
        inbox_length,
        inbox_rows,
        history_rows,
        inbox_length > inbox_rows AS hole
    FROM instances
    WHERE history_length = history_rows
        AND history_rows > 0
        AND inbox_rows > 0
        AND (
            (inbox_length > inbox_rows AND status = 'RUNNING')
            OR (inbox_length < inbox_rows AND status IN ('COMPLETED', 'FAILED', 'TERMINATED'))
        )
), turns AS (
    SELECT
        history.instance_id,
        history.position,
        history.event,
        history.task_id,
        count_if(history.event = 'workflowStarted') OVER (PARTITION BY history.instance_id ORDER BY history.position) AS turn,
        lag(history.event) OVER (PARTITION BY history.instance_id ORDER BY history.position)
            IN ('taskCompleted', 'taskFailed', 'timerFired', 'eventRaised') AS follows
    FROM history
    JOIN odd ON odd.instance_id = history.instance_id
), canceled AS (
    SELECT
        results.instance_id,
        'at position ' || max(results.position) || ' a turn took the result of task ' || max(results.task_id)
            || ', which it ordered itself' AS because
    FROM turns AS results
    JOIN turns AS tasks
        ON tasks.instance_id = results.instance_id
        AND tasks.turn = results.turn
        AND tasks.task_id = results.task_id
        AND tasks.event = 'taskScheduled'
        AND tasks.position > results.position
    WHERE results.event IN ('taskCompleted', 'taskFailed') AND results.follows
    GROUP BY results.instance_id
    UNION ALL
    SELECT
        history.instance_id,
        'its last turn took the result of a task that it ordered itself, and neither is in a row: the end has id '
            || max(history.event_id) || ', and the last order id '
            || coalesce(max(history.event_id) FILTER (WHERE history.event <> 'executionCompleted'), 0)
    FROM history
    JOIN odd ON odd.instance_id = history.instance_id
    WHERE odd.status = 'COMPLETED'
    GROUP BY history.instance_id
    HAVING max(history.event_id) FILTER (WHERE history.event = 'executionCompleted')
        > coalesce(max(history.event_id) FILTER (WHERE history.event <> 'executionCompleted'), 0) + 1
), waking AS (
    SELECT instance_id, count(*) AS jobs
    FROM jobs
    WHERE kind = 'workflow'
    GROUP BY instance_id
), met AS (
    SELECT
        odd.instance_id,
        max(faults.applied_ns) AS applied_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS node
    FROM odd
    JOIN faults
        ON (faults.node LIKE 'scheduler%' OR faults.node LIKE 'placement%' OR faults.node LIKE 'sidecar%')
        AND faults.applied_ns < odd.completed_ns
        AND coalesce(faults.healed_ns, faults.applied_ns) + 30000000000 > odd.created_ns
    GROUP BY odd.instance_id
)
SELECT
    odd.instance_id,
    odd.status,
    odd.inbox_length,
    odd.inbox_rows,
    odd.history_rows,
    met.fault,
    met.node,
    met.applied_ns,
    CASE
        WHEN odd.hole THEN 'the scheduler still holds ' || waking.jobs || ' of its jobs, which cannot load it'
        ELSE canceled.because
    END AS because
FROM odd
JOIN met ON met.instance_id = odd.instance_id
LEFT JOIN canceled ON canceled.instance_id = odd.instance_id
LEFT JOIN waking ON waking.instance_id = odd.instance_id
WHERE CASE WHEN odd.hole THEN waking.jobs > 0 ELSE canceled.because IS NOT NULL END
ORDER BY odd.instance_id
