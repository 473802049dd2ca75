-- claim: An instance that has ended leaves nothing behind: its inbox is empty, and at the end of the settle time the scheduler holds no job that would wake the instance or one of its activities.
-- layer: engine
-- examined: SELECT count(*) FROM instances WHERE status IN ('COMPLETED', 'FAILED', 'TERMINATED')
-- catches: inbox_left, job_left, job_of_nobody
-- source: Dapr 1.18 orchestrator/run.go (the inbox is cleared in the same save that stores the events from it; a reminder for a workflow that has ended is acknowledged, which deletes its job; deleteAllReminders). The run waits for the jobs as long as for the instances. A job is not counted if its instance ended less than five seconds before the jobs were listed, because a job is tried again every second.
-- witness: {instance_id} has been {status} since {completed_ns:at}, and {what}.
SELECT
    instance_id,
    status,
    completed_ns,
    coalesce(inbox_rows, 0) || ' rows wait in its inbox, of which its metadata counts ' || coalesce(inbox_length, 0) AS what
FROM instances
WHERE status IN ('COMPLETED', 'FAILED', 'TERMINATED') AND (inbox_rows > 0 OR inbox_length > 0)
UNION ALL
SELECT
    jobs.instance_id,
    coalesce(instances.status, 'unknown to the engine'),
    instances.completed_ns,
    'the scheduler holds the job ' || jobs.name || ' of ' || CASE
        WHEN jobs.task_id IS NULL THEN 'the workflow'
        ELSE 'task ' || jobs.task_id
    END
FROM jobs
LEFT JOIN instances ON instances.instance_id = jobs.instance_id
WHERE (SELECT settled FROM run)
    AND (
        instances.instance_id IS NULL
        OR (
            instances.status IN ('COMPLETED', 'FAILED', 'TERMINATED')
            AND coalesce(instances.completed_ns < jobs.listed_ns - 5000000000, TRUE)
        )
    )
ORDER BY instance_id, what
