-- title: A start whose reminder is faster than the save of its state is never run.
-- number: 5
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.18.4
-- upstream: dapr/dapr#10444, dapr/dapr#10465
-- explains: stuck
-- sentence: {instance_id}: its start was asked for at {invoked_ns:at} and is stored whole, {inbox_rows} event in the inbox and
--   nothing in the history; the scheduler holds no job that would run it, and its status is {status}.
SELECT
    -- Required: the state is there and complete (metadata counts one event in the inbox, and it is there), no event was ever
    -- taken, no body ran, nothing happened, and the reminder that a start creates before it saves is gone. Where a worker is
    -- missing, or its sidecar, the reminder stays and is tried again.
    classes.instance_id,
    classes.invoked_ns,
    classes.told,
    classes.status,
    instances.inbox_rows
FROM classes
JOIN instances ON instances.instance_id = classes.instance_id
LEFT JOIN histories ON histories.instance_id = classes.instance_id
LEFT JOIN bodies ON bodies.instance_id = classes.instance_id
WHERE classes.stuck
    AND classes.status = 'PENDING'
    AND classes.told IN ('accepted', 'unknown')
    AND instances.history_length = 0
    AND instances.history_rows = 0
    AND instances.inbox_length = 1
    AND instances.inbox_rows = 1
    AND histories.instance_id IS NULL
    AND bodies.instance_id IS NULL
    AND classes.forwards + classes.compensations = 0
    AND classes.instance_id NOT IN (SELECT instance_id FROM jobs WHERE instance_id IS NOT NULL)
ORDER BY classes.instance_id
