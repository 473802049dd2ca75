-- claim: Each execution of an activity is recorded as a body runs: for an instance that somebody asked for, on a replica of the app, from a start to an end; and each failure that the engine holds is one of a body.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM attempts) + (SELECT count(*) FROM operations)
-- catches: body_of_nobody, body_ends_first, body_half_told, body_elsewhere, failure_without_body
-- needs: attempts
-- source: docs/target-contract.md (each body is written down when it begins and when it ends). The SDKs give a child the id of its parent, a colon and a number, if the application names none; so a purged child is known.
-- witness: {instance_id:or}, task {task_id:or}: {fault}.
WITH children AS (
    SELECT instance_id, root_id
    FROM instances
    WHERE root_id IS NOT NULL
), purged AS (
    SELECT DISTINCT instance_id
    FROM requests
    WHERE operation = 'purge' AND outcome IS DISTINCT FROM 'fail'
), doubted AS (
    SELECT
        attempts.instance_id,
        task_id,
        CASE
            WHEN calls.instance_id IS NULL AND (SELECT count(*) FROM ids_by_answer) = 0 THEN 'a body ran, and nobody asked for the instance'
            WHEN started_ns < calls.invoked_ns THEN 'a body ran before the instance was asked for'
            WHEN node IS NULL OR node NOT IN (SELECT node FROM nodes) OR NOT starts_with(node, 'app-')
                THEN 'a body ran on ' || coalesce(node, 'nothing') || ', which is no replica of the app'
            WHEN ended_ns < started_ns THEN 'a body ended before it began'
            WHEN (outcome IS NULL) <> (ended_ns IS NULL) THEN 'a body has an end without an outcome, or an outcome without an end'
            WHEN outcome NOT IN ('ok', 'error') THEN 'a body ended as ' || outcome
            WHEN outcome IS DISTINCT FROM 'error' AND detail IS NOT NULL THEN 'a body that did not fail has an error'
            WHEN outcome = 'error' AND detail IS NULL THEN 'a body that failed has no error'
        END AS fault
    FROM attempts
    LEFT JOIN children ON children.instance_id = attempts.instance_id
    LEFT JOIN purged ON purged.instance_id = regexp_replace(attempts.instance_id, ':.*', '')
    LEFT JOIN calls ON calls.instance_id = coalesce(children.root_id, purged.instance_id, attempts.instance_id)
)
SELECT instance_id, task_id, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT failures.instance_id, failures.task_id, 'the engine says that it failed, and no body of it failed or was cut off'
FROM (SELECT instance_id, task_id FROM history WHERE event = 'taskFailed') AS failures
ANTI JOIN (SELECT instance_id, task_id FROM attempts WHERE outcome IS DISTINCT FROM 'ok') AS bad
    ON bad.instance_id = failures.instance_id AND bad.task_id = failures.task_id
WHERE EXISTS (SELECT 1 FROM attempts) AND NOT EXISTS (SELECT 1 FROM journals WHERE torn > 0)
ORDER BY 1, 2, 3
