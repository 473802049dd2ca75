-- One row an instance that has history rows: how many, its outline, and what depends on its own times.
--
-- Two histories of one outline hold the same events with the same ids and names at the same positions: what can be
-- proved of one without looking at times and payloads is proved of both (table shapes). The outline is a sum of 64-bit
-- hashes; that two histories of a million have one outline by chance, and differ, is less likely than 1 in 10 million.
-- timely: read in the order of their positions, the times of what the engine writes itself never go back, and none is
-- before the start or after the last of these.
WITH events AS (
    SELECT
        *,
        event IN (
            'workflowStarted', 'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated',
            'detachedWorkflowInstanceCreated', 'eventSent', 'executionCompleted'
        ) AS written
    FROM history
), gathered AS (
    SELECT
        instance_id,
        count(*) AS events,
        sum(hash(position, event, task_id, event_id, name)) AS outline,
        list(position) AS positions,
        list(at_ns) FILTER (WHERE written) AS times,
        max(at_ns) FILTER (WHERE NOT written) AS last_taken_ns,
        min(at_ns) AS first_ns,
        min(at_ns) FILTER (WHERE event = 'executionStarted') AS created_ns
    FROM events
    GROUP BY instance_id
)
SELECT
    instance_id,
    events,
    outline,
    created_ns,
    CASE WHEN positions = range(events) THEN TRUE ELSE list_sort(positions) = range(events) END AS whole,
    coalesce(
        positions = range(events) AND times = list_sort(times) AND first_ns = created_ns AND last_taken_ns <= times[-1],
        FALSE
    ) AS timely
FROM gathered
