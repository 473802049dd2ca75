-- One row per instance that has history rows: how many there are, its outline, and what depends on its own times.
--
-- Two histories with the same outline have the same events, with the same ids and names, at the same positions. They
-- also lack the same values. What can be told of one of them (table examples) without its times, payloads and errors is
-- therefore true of both. The outline is a sum of 64-bit hashes. The probability that among a million histories two different ones have the same outline is
-- less than 1 in 10 million.
--
-- timely means: in the order of positions, the times of the events that the engine writes itself never go back, no event
-- is before the start or after the last of these events, and none is taken in that is younger than the last turn.
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
        sum(
            hash(hash(position, event, task_id, event_id, name, call_id, fire_at_ns IS NULL, payload IS NULL, error = ''))
        ) AS outline,
        list(position) AS positions,
        list(at_ns) FILTER (WHERE written) AS times,
        max(at_ns) FILTER (WHERE NOT written) AS last_taken_ns,
        max(at_ns) FILTER (WHERE event = 'workflowStarted') AS last_turn_ns,
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
        positions = range(events) AND times = list_sort(times) AND first_ns = created_ns AND last_taken_ns <= last_turn_ns,
        FALSE
    ) AS timely
FROM gathered
