-- title: An activity whose first result is discarded is never executed again.
-- number: 1
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- upstream: dapr/durabletask-go#125, dapr/dapr#10490, dapr/dapr#10581, dapr/dapr#10558
-- explains: stuck
-- sentence: {instance_id}: the engine recorded task {task_id} ({name:or}) as scheduled at {scheduled_ns:at}; its last body
--   ran on {node} from {started_ns:at} to {ended_ns:at}, before that, so its result came to a history that did not know
--   the task and was discarded; no body ran afterwards, and the scheduler holds no job that would run one.
WITH idle AS (
    -- Required: a task without a later result; bodies of it, the last of which ended by itself, and all of which began before
    -- the task was recorded (a body of that very record cannot: it is handed out after the record is stamped); an empty inbox
    -- and no job. A body that hangs or was cut off, one that began after the record, and a workflow that orders nothing more
    -- are something else.
    SELECT classes.instance_id
    FROM classes
    JOIN instances ON instances.instance_id = classes.instance_id
    WHERE classes.stuck
        AND classes.status = 'RUNNING'
        AND instances.inbox_length = 0
        AND instances.inbox_rows = 0
        AND classes.instance_id NOT IN (SELECT instance_id FROM jobs WHERE instance_id IS NOT NULL)
), events AS (
    SELECT history.instance_id, history.position, history.event, history.name, history.task_id, history.at_ns
    FROM history
    JOIN idle ON idle.instance_id = history.instance_id
), resolved AS (
    SELECT instance_id, task_id, max(position) AS position
    FROM events
    WHERE event IN ('taskCompleted', 'taskFailed')
    GROUP BY instance_id, task_id
), open AS (
    SELECT events.instance_id, events.task_id, events.name, events.position, events.at_ns
    FROM events
    LEFT JOIN resolved ON resolved.instance_id = events.instance_id AND resolved.task_id = events.task_id
    WHERE events.event = 'taskScheduled' AND coalesce(resolved.position < events.position, TRUE)
)
SELECT
    open.instance_id,
    open.task_id,
    max(open.name) AS name,
    max(open.at_ns) AS scheduled_ns,
    arg_max(attempts.node, attempts.started_ns) AS node,
    max(attempts.started_ns) AS started_ns,
    max(attempts.ended_ns) AS ended_ns,
    count(*) AS bodies
FROM open
JOIN attempts ON attempts.instance_id = open.instance_id AND attempts.task_id = open.task_id
GROUP BY open.instance_id, open.task_id
HAVING max(attempts.started_ns) < max(open.at_ns) - 1000000
    AND arg_max(attempts.outcome IS NOT NULL, attempts.started_ns)
    AND max(attempts.ended_ns) < max(open.at_ns) + 1000000000
ORDER BY open.instance_id, open.task_id
