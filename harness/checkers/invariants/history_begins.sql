-- claim: A history begins with workflowStarted and executionStarted, and contains executionStarted only once.
-- layer: engine
-- examined: SELECT count(*) FROM histories
-- catches: started_twice, start_deleted
-- source: durabletask-go backend/orchestration.go (applyWorkItem) and backend/runtimestate (a second executionStarted is ErrDuplicateEvent).
-- witness: {instance_id} begins with {first:or} and {second:or}, and has executionStarted {starts} times.
SELECT
    instance_id,
    max(event) FILTER (WHERE position = 0) AS first,
    max(event) FILTER (WHERE position = 1) AS second,
    count_if(event = 'executionStarted') AS starts
FROM suspects
GROUP BY instance_id
HAVING starts <> 1 OR first IS DISTINCT FROM 'workflowStarted' OR second IS DISTINCT FROM 'executionStarted'
ORDER BY instance_id
