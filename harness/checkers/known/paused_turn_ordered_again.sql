-- title: A paused workflow orders again, in every turn, what the turn that took in the pause had ordered.
-- number: 15
-- layer: SDK
-- seen: 1.18.2
-- upstream: microsoft/durabletask-go#21
-- explains: code_changed, failed, history_causes, history_ids, history_tasks, ran_while_paused, late_effect, half_compensated
-- sentence: {instance_id} took in a pause at position {paused_position} ({paused_ns:at}); its {event} {event_id} of the same turn
--   (position {first_position}) was ordered {times} times more before anything resumed it, last at {again_ns:at}; it is {status}
--   ({error:or}).
WITH pauses AS (
    -- Required: a turn that takes in a pause and orders something, too.
    SELECT
        pause.instance_id,
        pause.position AS paused_position,
        pause.at_ns AS paused_ns,
        (
            SELECT min(next.position)
            FROM suspects AS next
            WHERE next.instance_id = pause.instance_id AND next.event = 'workflowStarted' AND next.position > pause.position
        ) AS next_turn,
        (
            SELECT min(resume.position)
            FROM suspects AS resume
            WHERE resume.instance_id = pause.instance_id AND resume.event = 'executionResumed' AND resume.position > pause.position
        ) AS resumed
    FROM suspects AS pause
    WHERE pause.event = 'executionSuspended'
), orders AS (
    SELECT instance_id, event_id, event, task_id, coalesce(name, '') AS name, position, at_ns
    FROM suspects
    WHERE event_id >= 0 AND event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')
), again AS (
    -- Required: the same id was ordered again by later turns while it was paused. The SDKs number orders by one counter, so no
    -- workflow code, not even one that is not deterministic, orders an id twice. A worker does that keeps back, while the
    -- instance is paused, the events of the history that say that the order was recorded.
    SELECT
        pauses.instance_id,
        pauses.paused_position,
        pauses.paused_ns,
        first.event_id,
        first.event,
        first.position AS first_position,
        count(*) AS times,
        max(later.at_ns) AS again_ns
    FROM pauses
    JOIN orders AS first
        ON first.instance_id = pauses.instance_id
        AND first.position > pauses.paused_position
        AND first.position < pauses.next_turn
    JOIN orders AS later
        ON later.instance_id = first.instance_id
        AND later.event_id = first.event_id
        AND later.event = first.event
        AND later.name = first.name
        AND later.position > pauses.next_turn
        AND later.position < coalesce(pauses.resumed, later.position + 1)
    GROUP BY ALL
), ends AS (
    SELECT instance_id, max(error) AS error
    FROM suspects
    WHERE event = 'executionCompleted'
    GROUP BY instance_id
)
SELECT
    again.instance_id,
    again.paused_position,
    again.paused_ns,
    again.event_id,
    again.event,
    again.first_position,
    again.times,
    again.again_ns,
    instances.status,
    ends.error
FROM again
JOIN instances ON instances.instance_id = again.instance_id
JOIN histories ON histories.instance_id = again.instance_id
LEFT JOIN ends ON ends.instance_id = again.instance_id
WHERE histories.whole
    AND instances.history_length = instances.history_rows
    -- If it failed, then for that reason.
    AND (instances.status <> 'FAILED' OR ends.error LIKE 'NonDeterminismError%')
ORDER BY again.instance_id, again.paused_position, again.event_id
