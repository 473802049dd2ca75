-- claim: Between a failed try of an activity and the next try lies the wait that target.yaml declares (constant, or growing by a factor up to a maximum), and the next try does not begin before the wait is over.
-- layer: SDK
-- needs: retries, call_ids
-- examined: SELECT count(*) FROM history WHERE event = 'taskScheduled' AND call_id IS NOT NULL
-- catches: retry_wait_shortened, retry_wait_lengthened, retry_timer_early, retry_not_waited, retry_timer_missing
-- source: dapr-ext-workflow 1.18.3 _durabletask/task.py (RetryableTask.compute_next_delay) and _durabletask/worker.py (create_timer_internal: the wait is added to the time of the turn). The time of the turn lies between the failure and the turn's workflowStarted event. It is the time of that event, unless the engine took the answer to a cancelled turn (docs/findings.md, 9). The tolerance is one millisecond, because the SDK counts in microseconds, and the failure and the firing get their times from two processes.
-- witness: {instance_id}: before try {number} of {name:or}, called as task {call_id}, {fault}; the declared wait is {wait_ms:or} ms.
WITH timers AS (
    SELECT
        events,
        outline,
        call_id,
        task_id,
        position,
        row_number() OVER (PARTITION BY events, outline, call_id ORDER BY position, task_id) AS number
    FROM examples
    WHERE event = 'timerCreated' AND call_id IS NOT NULL
), unnamed AS (
    -- It is not known whether these timers belong to a retry (docs/findings.md, 9).
    SELECT events, outline, position
    FROM examples
    WHERE event = 'timerCreated' AND call_id IS NULL
), firings AS (
    SELECT events, outline, task_id, min(position) AS position
    FROM examples
    WHERE event = 'timerFired'
    GROUP BY events, outline, task_id
), called AS (
    SELECT DISTINCT events, outline, call_id
    FROM examples
    WHERE (event = 'timerCreated' AND call_id IS NOT NULL) OR (event = 'taskScheduled' AND call_id <> task_id)
), tries AS (
    SELECT
        events,
        outline,
        call_id,
        task_id,
        name,
        row_number() OVER calls AS number,
        lead(position) OVER calls AS again_position
    FROM examples
    JOIN called USING (events, outline, call_id)
    WHERE event = 'taskScheduled'
    WINDOW calls AS (PARTITION BY events, outline, call_id ORDER BY position, task_id)
), waits AS (
    SELECT
        timers.events,
        timers.outline,
        timers.call_id,
        timers.number,
        timers.task_id,
        timers.position,
        failed.task_id AS failed_id,
        failed.name,
        failed.again_position IS NOT NULL AND coalesce(firings.position > failed.again_position, TRUE) AS unwaited,
        1000000000 * least(retries.first * power(retries.backoff, timers.number - 1), retries.longest) AS wait_ns
    FROM timers
    JOIN tries AS failed
        ON failed.events = timers.events
        AND failed.outline = timers.outline
        AND failed.call_id = timers.call_id
        AND failed.number = timers.number
    LEFT JOIN firings
        ON firings.events = timers.events AND firings.outline = timers.outline AND firings.task_id = timers.task_id
    LEFT JOIN retries ON retries.activity = failed.name
), timing AS (
    -- The events whose times say how long a wait was.
    SELECT waits.events, waits.outline, waits.call_id, waits.number, examples.position
    FROM waits
    JOIN examples ON examples.events = waits.events AND examples.outline = waits.outline
    WHERE (examples.event = 'timerCreated' AND examples.position = waits.position)
        OR (examples.event = 'workflowStarted' AND examples.position < waits.position)
        OR (examples.event = 'timerFired' AND examples.task_id = waits.task_id)
        OR (examples.event = 'taskFailed' AND examples.task_id = waits.failed_id)
), retried AS (
    -- If rows are missing, tries cannot be counted. history_whole reports missing rows.
    SELECT outlines.instance_id, outlines.events, outlines.outline
    FROM outlines
    SEMI JOIN timing ON timing.events = outlines.events AND timing.outline = outlines.outline
    WHERE outlines.whole
), timed AS (
    SELECT
        history.instance_id,
        timing.events,
        timing.outline,
        timing.call_id,
        timing.number,
        max(history.fire_at_ns) FILTER (WHERE history.event = 'timerCreated') AS fire_at_ns,
        max(history.at_ns) FILTER (WHERE history.event = 'workflowStarted') AS turned_ns,
        min(history.at_ns) FILTER (WHERE history.event = 'timerFired') AS fired_ns,
        max(history.at_ns) FILTER (WHERE history.event = 'taskFailed') AS failed_ns
    FROM history
    JOIN retried ON retried.instance_id = history.instance_id
    JOIN timing
        ON timing.events = retried.events AND timing.outline = retried.outline AND timing.position = history.position
    WHERE history.event IN ('workflowStarted', 'taskFailed', 'timerCreated', 'timerFired')
    GROUP BY history.instance_id, timing.events, timing.outline, timing.call_id, timing.number
), compared AS (
    SELECT
        timed.instance_id,
        timed.call_id,
        timed.number + 1 AS number,
        waits.name,
        timed.fire_at_ns - timed.failed_ns AS longest_ns,
        timed.fire_at_ns - timed.turned_ns AS shortest_ns,
        timed.fired_ns - timed.failed_ns AS waited_ns,
        waits.unwaited,
        waits.wait_ns
    FROM timed
    JOIN waits
        ON waits.events = timed.events
        AND waits.outline = timed.outline
        AND waits.call_id = timed.call_id
        AND waits.number = timed.number
)
SELECT
    instance_id,
    call_id,
    number,
    name,
    round(wait_ns / 1000000)::BIGINT AS wait_ms,
    CASE
        WHEN unwaited THEN 'the timer had not fired when it was scheduled'
        WHEN longest_ns < wait_ns - 1000000 THEN 'the timer was set to ' || round(longest_ns / 1000000)::BIGINT || ' ms after the failure'
        WHEN shortest_ns > wait_ns + 1000000 THEN 'the timer was set to ' || round(shortest_ns / 1000000)::BIGINT || ' ms after its turn'
        ELSE 'only ' || round(waited_ns / 1000000)::BIGINT || ' ms passed after the failure'
    END AS fault
FROM compared
WHERE unwaited
    OR longest_ns < wait_ns - 1000000
    OR shortest_ns > wait_ns + 1000000
    OR waited_ns < wait_ns - 1000000
UNION ALL
SELECT
    outlines.instance_id,
    tries.call_id,
    tries.number + 1,
    tries.name,
    round(1000 * least(retries.first * power(retries.backoff, tries.number - 1), retries.longest))::BIGINT,
    'no timer was set'
FROM tries
JOIN retries ON retries.activity = tries.name AND retries.first > 0
ANTI JOIN timers
    ON timers.events = tries.events
    AND timers.outline = tries.outline
    AND timers.call_id = tries.call_id
    AND timers.number = tries.number
ANTI JOIN unnamed
    ON unnamed.events = tries.events AND unnamed.outline = tries.outline AND unnamed.position < tries.again_position
JOIN outlines ON outlines.events = tries.events AND outlines.outline = tries.outline AND outlines.whole
WHERE tries.again_position IS NOT NULL
ORDER BY instance_id, call_id, number
