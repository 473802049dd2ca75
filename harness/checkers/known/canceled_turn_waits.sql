-- title: A workflow waits for nothing, because the answer to a canceled turn was taken for that of its repetition.
-- number: 9
-- layer: engine
-- seen: 1.18.2
-- upstream: dapr/dapr#10482
-- explains: stuck
-- sentence: {instance_id}: its last turn, at {turn_ns:at} (position {position}), took {taken} events and ordered nothing, and no
--   task or timer of it is open; {others} other instances of {workflow} had the same orders answered in the same way, and each
--   went on in that turn ({fault} of {node} was at {applied_ns:at}).
WITH idle AS (
    -- Required: the history is whole, nothing is left to be taken in, and nobody would wake it.
    SELECT instances.instance_id, instances.workflow
    FROM classes
    JOIN instances ON instances.instance_id = classes.instance_id
    WHERE classes.stuck
        AND instances.status = 'RUNNING'
        AND instances.generation = 1
        AND instances.history_length = instances.history_rows
        AND instances.inbox_length = 0
        AND instances.inbox_rows = 0
        AND instances.instance_id NOT IN (SELECT instance_id FROM jobs WHERE instance_id IS NOT NULL)
), compared AS (
    -- With instances of the same workflow that ended well: ten thousand of them are enough.
    SELECT instance_id, workflow, TRUE AS waits
    FROM idle
    UNION ALL (
        SELECT instance_id, workflow, FALSE
        FROM instances
        WHERE status = 'COMPLETED' AND generation = 1 AND workflow IN (SELECT workflow FROM idle)
        QUALIFY row_number() OVER (PARTITION BY workflow ORDER BY instance_id) <= 10000
    )
), events AS (
    SELECT
        compared.instance_id,
        compared.workflow,
        compared.waits,
        history.position,
        history.task_id,
        history.at_ns,
        history.event,
        history.event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated') AS ordering,
        history.event IN (
            'taskCompleted', 'taskFailed', 'timerFired',
            'childWorkflowInstanceCompleted', 'childWorkflowInstanceFailed'
        ) AS answering,
        hash(history.event, history.name, history.task_id) AS said,
        count_if(history.event = 'workflowStarted') OVER (PARTITION BY history.instance_id ORDER BY history.position) AS turn
    FROM history
    JOIN compared ON compared.instance_id = history.instance_id
), early AS (
    -- An answer in front of its order is another cause: that of a task which was never recorded, and was ordered again.
    SELECT answers.instance_id
    FROM events AS answers
    ANTI JOIN events AS orders
        ON orders.instance_id = answers.instance_id
        AND orders.task_id = answers.task_id
        AND orders.ordering
        AND orders.position < answers.position
    WHERE answers.answering AND answers.waits
), turns AS (
    SELECT
        instance_id,
        workflow,
        waits,
        turn,
        min(position) AS position,
        max(CASE WHEN event = 'workflowStarted' THEN at_ns END) AS turn_ns,
        count_if(ordering) AS ordered,
        count_if(answering) AS taken,
        count_if(event NOT IN ('workflowStarted', 'executionStarted') AND NOT ordering AND NOT answering) AS others,
        sum(CASE WHEN ordering THEN said ELSE 0 END) AS orders,
        sum(CASE WHEN answering THEN said ELSE 0 END) AS answers
    FROM events
    GROUP BY instance_id, workflow, waits, turn
), standing AS (
    -- What had been ordered before the turn, and what was answered with it: the sum of its hashes.
    SELECT
        *,
        sum(ordered) OVER before - ordered AS ordered_before,
        sum(taken) OVER before AS answered,
        sum(orders) OVER before - orders + sum(answers) OVER before AS state,
        lead(turn) OVER before IS NULL AS is_last
    FROM turns
    WINDOW before AS (PARTITION BY instance_id ORDER BY turn)
), resting AS (
    SELECT *
    FROM standing
    WHERE waits AND is_last AND taken > 0 AND ordered = 0 AND others = 0 AND ordered_before = answered
        AND instance_id NOT IN (SELECT instance_id FROM early)
), met AS (
    -- Something that makes a sidecar cancel turns: it, or another one, or what they need, was away.
    SELECT
        resting.instance_id,
        max(faults.applied_ns) AS applied_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS node
    FROM resting
    JOIN faults
        ON faults.node NOT LIKE 'provider%'
        AND faults.applied_ns < resting.turn_ns
        AND coalesce(faults.healed_ns, faults.applied_ns) + 30000000000 > resting.turn_ns
    GROUP BY resting.instance_id
)
SELECT
    resting.instance_id,
    resting.workflow,
    resting.position,
    resting.turn_ns,
    resting.taken,
    count(*) AS others,
    met.fault,
    met.node,
    met.applied_ns
FROM resting
JOIN met ON met.instance_id = resting.instance_id
JOIN standing AS went_on
    ON went_on.workflow = resting.workflow
    AND NOT went_on.waits
    AND went_on.ordered_before = resting.ordered_before
    AND went_on.answered = resting.answered
    AND went_on.state = resting.state
GROUP BY ALL
-- Required: not one of them waited where this one waits, as an application's own wait for an event would make them.
HAVING min(went_on.ordered + went_on.others) > 0
ORDER BY resting.instance_id
