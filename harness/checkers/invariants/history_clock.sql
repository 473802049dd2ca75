-- claim: The times of the events that the engine itself writes never go back; no event is older than the start or younger than the last of these events, and no timer fires before it is due.
-- layer: engine
-- examined: SELECT count(*) FROM history
-- catches: history_moved, timer_fired_early
-- source: durabletask-go backend/orchestration.go and backend/runtimestate/applier.go, and Dapr 1.18 orchestrator/versioning.go for executionStalled (each event gets its time when it is made). A result gets its time from its activity, so it may be older than the events before it, and even older than its own task. A timer gets its time when it fires (Dapr 1.18 orchestrator/run.go, runWorkflow). The scheduler, which is another process, says when that is, so a difference of one millisecond is allowed.
-- witness: {instance_id}: {event} at position {position} has the time {at_ns:at}, {fault}.
WITH timed AS (
    SELECT
        *,
        event IN (
            'workflowStarted', 'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated',
            'detachedWorkflowInstanceCreated', 'eventSent', 'executionCompleted', 'executionStalled'
        ) AS written
    FROM suspects
), lives AS (
    SELECT
        instance_id,
        min(at_ns) FILTER (WHERE event = 'executionStarted' OR position = 0) AS begin_ns,
        arg_max(at_ns, (position, at_ns)) FILTER (WHERE written) AS end_ns
    FROM timed
    GROUP BY instance_id
), following AS (
    SELECT
        instance_id,
        position,
        lag(at_ns) OVER (PARTITION BY instance_id ORDER BY position, at_ns) AS before_ns
    FROM timed
    WHERE written
)
SELECT
    timed.instance_id,
    timed.position,
    timed.event,
    timed.at_ns,
    CASE
        WHEN timed.at_ns < lives.begin_ns THEN 'before the instance was started'
        WHEN timed.at_ns > lives.end_ns THEN 'after the last event'
        ELSE 'before the event in front of it'
    END AS fault
FROM timed
JOIN lives USING (instance_id)
LEFT JOIN following ON following.instance_id = timed.instance_id AND following.position = timed.position AND timed.written
WHERE timed.at_ns < lives.begin_ns OR timed.at_ns > lives.end_ns OR timed.at_ns < following.before_ns
UNION ALL
SELECT
    instance_id,
    position,
    event,
    at_ns,
    ((fire_at_ns - at_ns) / 1000000)::BIGINT || ' ms before it was due'
FROM history
WHERE event = 'timerFired' AND at_ns < fire_at_ns - 1000000
ORDER BY instance_id, position, event, fault
