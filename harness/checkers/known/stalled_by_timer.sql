-- title: An instance that is stalled in the turn of a timer can never be loaded again.
-- number: 14
-- layer: engine
-- seen: 1.18.2
-- explains: history_whole, stuck, record_readings
-- sentence: {instance_id} was stalled at {at_ns:at} ({error}) in the turn in which timer {task_id} fired: its metadata counts
--   {inbox_length} events in the inbox and the store has {inbox_rows}, and the timer's job is tried again without end.
WITH lost AS (
    -- Required: all of the history is there, and of the inbox nothing but what the save of the stall counted: the firing of
    -- a timer, which is kept in memory alone. No application can write metadata or an inbox.
    SELECT instance_id, history_length, inbox_length, inbox_rows
    FROM instances
    WHERE status = 'STALLED'
        AND history_length = history_rows
        AND inbox_length = 1
        AND inbox_rows = 0
), stalls AS (
    -- Required: the stall is the last that was saved.
    SELECT lost.instance_id, lost.inbox_length, lost.inbox_rows, history.at_ns, history.error
    FROM lost
    JOIN history ON history.instance_id = lost.instance_id AND history.position = lost.history_length - 1
    WHERE history.event = 'executionStalled'
), timers AS (
    -- Required: a timer that was due by then and has not fired in the history, and whose job the scheduler still holds.
    SELECT stalls.instance_id, max(history.task_id) AS task_id
    FROM stalls
    JOIN history ON history.instance_id = stalls.instance_id
    JOIN jobs
        ON jobs.instance_id = stalls.instance_id
        AND jobs.kind = 'workflow'
        AND jobs.name = 'timer-' || history.task_id
    WHERE history.event = 'timerCreated'
        AND history.fire_at_ns <= stalls.at_ns
        AND NOT EXISTS (
            SELECT 1
            FROM history AS fired
            WHERE fired.instance_id = stalls.instance_id AND fired.task_id = history.task_id AND fired.event = 'timerFired'
        )
    GROUP BY stalls.instance_id
)
SELECT stalls.instance_id, stalls.at_ns, stalls.error, timers.task_id, stalls.inbox_length, stalls.inbox_rows
FROM stalls
JOIN timers ON timers.instance_id = stalls.instance_id
ORDER BY stalls.instance_id
