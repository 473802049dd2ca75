-- One row per result that may be older than the end of a body of its task that ended well. There are few such rows, or
-- none.
--
-- Both keys are compared by their hashes alone, which takes half the time. If two different keys have the same hash,
-- the invariant looks at the result again and finds nothing wrong. Body and result get their times from two processes,
-- so a difference of one millisecond is allowed.
SELECT history.instance_id, history.task_id, history.at_ns
FROM history
JOIN attempts
    ON hash(attempts.instance_id, attempts.task_id) = hash(history.instance_id, history.task_id)
    AND attempts.outcome = 'ok'
    AND attempts.ended_ns > history.at_ns + 1000000
WHERE history.event = 'taskCompleted'
