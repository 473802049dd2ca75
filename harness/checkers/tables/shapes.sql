-- One row per outline: whether the histories that have it are orderly except for their times. This is proved for one of
-- them.
--
-- sound is a proof, in one pass without a sort or a join, that none of the history_* invariants finds anything wrong
-- with such a history. If something cannot be proved here (ids and positions that do not fit into 63 bits, child
-- workflows), that is not a finding: the invariants then look at the history itself. completed is the set of tasks that
-- have a result, one bit per task. unanswered counts the tasks and timers that have neither a result nor a failure. tasks_print is a fingerprint of all pairs (task, name) that were scheduled, like
-- tasks_print in bodies for those that ran.
WITH marked AS (
    SELECT
        *,
        event IN (
            'workflowStarted', 'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated',
            'detachedWorkflowInstanceCreated', 'eventSent', 'executionCompleted'
        ) AS written,
        CASE WHEN task_id BETWEEN 0 AND 62 THEN 1::BIGINT << task_id END AS bit,
        CASE WHEN event_id BETWEEN 0 AND 62 THEN 1::BIGINT << event_id END AS own_bit,
        CASE WHEN position BETWEEN 0 AND 61 THEN 1::BIGINT << position END AS place
    FROM examples
), gathered AS (
    SELECT
        events,
        outline,
        count_if(event = 'workflowStarted' AND position = 0) AS turns_at_0,
        count_if(event = 'executionStarted' AND position = 1) AS starts_at_1,
        count_if(event = 'executionStarted') AS starts,
        max(name) FILTER (WHERE event = 'executionStarted') AS workflow,
        count_if(event = 'executionCompleted') AS ends,
        max(position) FILTER (WHERE event = 'executionCompleted') AS end_position,
        count_if(task_id IS NOT NULL) AS of_tasks,
        count_if(event IN ('taskScheduled', 'timerCreated')) AS scheduled_all,
        count_if(event = 'taskScheduled') AS tasks_scheduled,
        count_if(event IN ('taskCompleted', 'taskFailed')) AS results,
        count_if(event = 'timerFired') AS firings,
        bit_or(bit) FILTER (WHERE event = 'taskScheduled') AS tasks,
        bit_or(bit) FILTER (WHERE event = 'timerCreated') AS timers,
        bit_or(bit) FILTER (WHERE event IN ('taskCompleted', 'taskFailed')) AS resolved,
        bit_or(bit) FILTER (WHERE event = 'timerFired') AS fired,
        coalesce(bit_or(bit) FILTER (WHERE event = 'taskCompleted'), 0) AS completed,
        coalesce(bit_or(place) FILTER (WHERE written AND event <> 'workflowStarted'), 0) AS ordered_at,
        coalesce(bit_or(place) FILTER (WHERE NOT written), 0) AS taken_at,
        coalesce(bit_or(place) FILTER (WHERE event = 'workflowStarted'), 0) AS turns_at,
        count_if(written AND event_id >= 0) AS numbered,
        bit_or(own_bit) FILTER (WHERE written) AS ids,
        max(event_id) FILTER (WHERE written AND event <> 'executionCompleted') AS last_id,
        max(event_id) FILTER (WHERE event = 'executionCompleted') AS end_id,
        bit_xor(hash(hash(task_id, name))) FILTER (WHERE event = 'taskScheduled') AS tasks_print
    FROM marked
    GROUP BY events, outline
)
SELECT
    events,
    outline,
    workflow,
    completed,
    tasks_scheduled AS scheduled,
    tasks_print,
    bit_count((coalesce(tasks, 0) | coalesce(timers, 0)) & ~(coalesce(resolved, 0) | coalesce(fired, 0))) AS unanswered,
    coalesce(
        turns_at_0 = 1 AND starts_at_1 = 1 AND starts = 1
        AND (ends = 0 OR (ends = 1 AND end_position = events - 1))
        AND of_tasks = scheduled_all + results + firings
        AND bit_count(coalesce(tasks, 0) | coalesce(timers, 0)) = scheduled_all
        AND bit_count(coalesce(resolved, 0)) = results
        AND bit_count(coalesce(fired, 0)) = firings
        AND coalesce(resolved, 0) & ~coalesce(tasks, 0) = 0
        AND coalesce(fired, 0) & ~coalesce(timers, 0) = 0
        AND events <= 62
        AND (ordered_at << 1) & taken_at = 0
        AND (turns_at << 1) & ordered_at = 0
        AND bit_count(coalesce(ids, 0)) = numbered
        AND (end_id IS NULL OR end_id < 0 OR end_id > coalesce(last_id, -1)),
        FALSE
    ) AS sound
FROM gathered
