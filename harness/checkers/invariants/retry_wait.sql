-- claim: Between a failed try of an activity and the next try lies the wait that target.yaml declares (constant, or growing by a factor up to a maximum), and the next try does not begin before the wait is over.
-- layer: SDK
-- needs: retries, call_ids
-- examined: SELECT count(*) FROM history WHERE event = 'taskScheduled' AND call_id IS NOT NULL
-- catches: retry_wait_shortened, retry_wait_lengthened, retry_timer_early, retry_not_waited, retry_timer_missing
-- source: dapr-ext-workflow 1.18.3 _durabletask/task.py (RetryableTask.compute_next_delay) and _durabletask/worker.py (create_timer_internal: the wait is added to the time of the turn). The time of the turn lies between the failure and the turn's workflowStarted event. It is the time of that event, unless the engine took the answer to a cancelled turn (docs/findings.md, 9). The tolerance is one millisecond, because the SDK counts in microseconds, and the failure and the firing get their times from two processes.
-- witness: {instance_id}: before try {number} of {name:or}, called as task {call_id}, {fault}; the declared wait is {wait_ms:or} ms.
WITH gaps AS (
    -- If rows are missing, tries cannot be counted. history_whole reports missing rows.
    SELECT instance_id FROM histories WHERE NOT whole
), timers AS (
    SELECT
        instance_id,
        call_id,
        task_id,
        position,
        fire_at_ns,
        row_number() OVER (PARTITION BY instance_id, call_id ORDER BY position, task_id) AS number
    FROM history
    ANTI JOIN gaps USING (instance_id)
    WHERE event = 'timerCreated' AND call_id IS NOT NULL
), unnamed AS (
    -- It is not known whether these timers belong to a retry (docs/findings.md, 9).
    SELECT instance_id, position
    FROM history
    WHERE event = 'timerCreated' AND call_id IS NULL
), called AS (
    SELECT instance_id, call_id
    FROM history
    ANTI JOIN gaps USING (instance_id)
    WHERE (event = 'timerCreated' AND call_id IS NOT NULL) OR (event = 'taskScheduled' AND call_id <> task_id)
    GROUP BY instance_id, call_id
), tries AS (
    SELECT
        history.instance_id,
        history.call_id,
        history.task_id,
        history.position,
        history.name,
        row_number() OVER calls AS number,
        lead(history.position) OVER calls AS again_position
    FROM history
    JOIN called ON called.instance_id = history.instance_id AND called.call_id = history.call_id
    WHERE history.event = 'taskScheduled'
    WINDOW calls AS (PARTITION BY history.instance_id, history.call_id ORDER BY history.position, history.task_id)
), turns AS (
    SELECT timers.instance_id, timers.task_id, max(history.at_ns) AS at_ns
    FROM timers
    JOIN history
        ON history.instance_id = timers.instance_id
        AND history.event = 'workflowStarted'
        AND history.position < timers.position
    GROUP BY timers.instance_id, timers.task_id
), firings AS (
    SELECT instance_id, task_id, min(at_ns) AS at_ns, min(position) AS position
    FROM history
    WHERE event = 'timerFired'
    GROUP BY instance_id, task_id
), failures AS (
    SELECT instance_id, task_id, max(at_ns) AS at_ns
    FROM history
    WHERE event = 'taskFailed'
    GROUP BY instance_id, task_id
), waits AS (
    SELECT
        timers.instance_id,
        timers.call_id,
        timers.number + 1 AS number,
        failed.name,
        timers.fire_at_ns - failures.at_ns AS longest_ns,
        timers.fire_at_ns - turns.at_ns AS shortest_ns,
        firings.at_ns - failures.at_ns AS waited_ns,
        failed.again_position IS NOT NULL AND coalesce(firings.position > failed.again_position, TRUE) AS unwaited,
        1000000000 * least(retries.first * power(retries.backoff, timers.number - 1), retries.longest) AS wait_ns
    FROM timers
    LEFT JOIN tries AS failed
        ON failed.instance_id = timers.instance_id AND failed.call_id = timers.call_id AND failed.number = timers.number
    LEFT JOIN turns ON turns.instance_id = timers.instance_id AND turns.task_id = timers.task_id
    LEFT JOIN firings ON firings.instance_id = timers.instance_id AND firings.task_id = timers.task_id
    LEFT JOIN failures ON failures.instance_id = failed.instance_id AND failures.task_id = failed.task_id
    LEFT JOIN retries ON retries.activity = failed.name
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
FROM waits
WHERE unwaited
    OR longest_ns < wait_ns - 1000000
    OR shortest_ns > wait_ns + 1000000
    OR waited_ns < wait_ns - 1000000
UNION ALL
SELECT
    tries.instance_id,
    tries.call_id,
    tries.number + 1,
    tries.name,
    round(1000 * least(retries.first * power(retries.backoff, tries.number - 1), retries.longest))::BIGINT,
    'no timer was set'
FROM tries
JOIN retries ON retries.activity = tries.name AND retries.first > 0
ANTI JOIN timers
    ON timers.instance_id = tries.instance_id AND timers.call_id = tries.call_id AND timers.number = tries.number
ANTI JOIN unnamed ON unnamed.instance_id = tries.instance_id AND unnamed.position < tries.again_position
WHERE tries.again_position IS NOT NULL
ORDER BY instance_id, call_id, number
