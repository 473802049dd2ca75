-- title: A sidecar whose application disconnects may never host workflows again.
-- number: 7
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- upstream: dapr/dapr#10408, dapr/dapr#10620
-- explains: stuck
-- sentence: {instance_id} is {status}, and the scheduler still tries its job {name}; {fault} of {node} was healed at
--   {healed_ns:at}, and no body ran on {app} from {last_ns:at} on, while {elsewhere} began elsewhere: its sidecar hosts nothing.
WITH hits AS (
    -- Required: an application lost its sidecar, or died, and came back; from then on not one body began on it, although
    -- twenty or more began elsewhere in the ten seconds after it had had four to connect; the order waits for a job that is
    -- tried again without end; and next to no activity does: one that is refused has no job of its own. Where a worker does
    -- not come back its sidecar says so, others take its work, and nothing is stuck; where it hangs, the activities that it
    -- was given wait with their jobs; where a body hangs, it has begun. On a replica that was taken away nothing runs either.
    SELECT regexp_extract(node, '^app-[0-9]+') AS app, fault, node, healed_ns
    FROM faults
    WHERE healed_ns IS NOT NULL
        AND node LIKE 'app-%'
        AND (node NOT LIKE '%->%' OR node LIKE '%->sidecar-%')
        AND regexp_extract(node, '^app-[0-9]+') NOT IN (SELECT node FROM faults WHERE fault = 'scale_in')
), worked AS (
    SELECT hits.app, max(attempts.started_ns) AS last_ns
    FROM (SELECT DISTINCT app FROM hits) AS hits
    LEFT JOIN attempts ON attempts.node = hits.app
    GROUP BY hits.app
), silenced AS (
    SELECT
        hits.app,
        max(worked.last_ns) AS last_ns,
        min(hits.healed_ns) AS healed_ns,
        arg_min(hits.fault, hits.healed_ns) AS fault,
        arg_min(hits.node, hits.healed_ns) AS node
    FROM hits
    JOIN worked ON worked.app = hits.app
    WHERE coalesce(hits.healed_ns > worked.last_ns, TRUE)
    GROUP BY hits.app
), dead AS (
    SELECT silenced.app, count(*) AS elsewhere
    FROM silenced
    JOIN attempts ON attempts.node <> silenced.app
        AND attempts.started_ns BETWEEN silenced.healed_ns + 4000000000 AND silenced.healed_ns + 14000000000
    GROUP BY silenced.app
    HAVING count(*) >= 20
), held AS (
    SELECT count_if(kind = 'activity') AS activities, count_if(kind = 'workflow') AS workflows
    FROM jobs
), hanging AS (
    SELECT jobs.instance_id
    FROM jobs
    JOIN attempts ON attempts.instance_id = jobs.instance_id AND attempts.task_id = jobs.task_id
    WHERE jobs.kind = 'activity'
    GROUP BY jobs.instance_id, jobs.task_id
    HAVING arg_max(attempts.outcome IS NULL, attempts.started_ns)
), tried AS (
    SELECT instance_id, min(name) AS name
    FROM jobs
    GROUP BY instance_id
)
SELECT
    classes.instance_id,
    classes.status,
    tried.name,
    silenced.fault,
    silenced.node,
    silenced.healed_ns,
    silenced.app,
    silenced.last_ns,
    dead.elsewhere
FROM classes
JOIN tried ON tried.instance_id = classes.instance_id
JOIN silenced ON TRUE
JOIN dead ON dead.app = silenced.app
WHERE classes.stuck
    AND (SELECT 10 * activities <= workflows FROM held)
    AND classes.instance_id NOT IN (SELECT instance_id FROM hanging)
ORDER BY classes.instance_id, silenced.app
