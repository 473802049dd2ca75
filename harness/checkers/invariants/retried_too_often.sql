-- claim: A call of an activity is tried again only after its last try failed, and no more often than target.yaml declares for that activity.
-- layer: SDK
-- needs: call_ids
-- examined: SELECT count(*) FROM history WHERE event = 'taskScheduled' AND call_id IS NOT NULL
-- catches: retried_once_more, retried_after_success
-- source: dapr-ext-workflow 1.18.3 _durabletask/worker.py (process_event: only taskFailed leads to a retry) and _durabletask/task.py (RetryableTask.compute_next_delay: no retry after max_number_of_attempts tries). If the engine runs a body again without recording a new try, that is not a retry; the verdict counts it as a repeated attempt.
-- witness: {instance_id}: {name:or}, called as task {call_id}, was tried {tries} times; {allowed:or} tries are allowed, and {unfailed} of the tries before the last one had not failed.
WITH calls AS (
    SELECT events, outline, call_id, max(position) AS last_position
    FROM examples
    WHERE event = 'taskScheduled' AND call_id <> task_id
    GROUP BY events, outline, call_id
), tries AS (
    SELECT calls.events, calls.outline, calls.call_id, calls.last_position, examples.task_id, examples.position, examples.name
    FROM calls
    JOIN examples
        ON examples.events = calls.events
        AND examples.outline = calls.outline
        AND examples.call_id = calls.call_id
        AND examples.event = 'taskScheduled'
), failures AS (
    SELECT DISTINCT events, outline, task_id
    FROM examples
    WHERE event = 'taskFailed'
), counted AS (
    SELECT
        tries.events,
        tries.outline,
        tries.call_id,
        max(tries.name) AS name,
        count(*) AS tries,
        sum(CASE WHEN tries.position < tries.last_position AND failures.task_id IS NULL THEN 1 ELSE 0 END)::BIGINT AS unfailed
    FROM tries
    LEFT JOIN failures
        ON failures.events = tries.events AND failures.outline = tries.outline AND failures.task_id = tries.task_id
    GROUP BY tries.events, tries.outline, tries.call_id
)
SELECT outlines.instance_id, counted.name, counted.call_id, counted.tries, retries.attempts AS allowed, counted.unfailed
FROM counted
JOIN outlines ON outlines.events = counted.events AND outlines.outline = counted.outline
LEFT JOIN retries ON retries.activity = counted.name
WHERE counted.tries > retries.attempts OR counted.unfailed > 0
ORDER BY outlines.instance_id, counted.call_id
