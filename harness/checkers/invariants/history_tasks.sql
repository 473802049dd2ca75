-- claim: Each task and timer is scheduled once under its id and completes at most once, and each completion belongs to a task or timer that was scheduled.
-- layer: engine
-- examined: SELECT count(*) FROM history WHERE task_id IS NOT NULL
-- catches: completed_twice, schedule_deleted, history_given_away
-- source: durabletask-go backend/runtimestate/dedup, Dapr 1.18 orchestrator/run.go (stripUnmatchedResolutions). A completion may come before its task: after a crash between dispatch and save, the saved history has them in that order.
-- witness: {instance_id}: {what} {task_id} was scheduled {scheduled} times and completed {completed} times.
SELECT
    instance_id,
    CASE
        WHEN event IN ('timerCreated', 'timerFired') THEN 'timer'
        WHEN event LIKE 'childWorkflow%' THEN 'child workflow'
        ELSE 'task'
    END AS what,
    task_id,
    count_if(event IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')) AS scheduled,
    count_if(event NOT IN ('taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated')) AS completed
FROM suspects
WHERE task_id IS NOT NULL
GROUP BY instance_id, what, task_id
HAVING scheduled <> 1 OR completed > 1
ORDER BY instance_id, task_id, what
