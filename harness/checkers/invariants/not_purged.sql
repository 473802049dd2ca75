-- claim: After a purge that was acknowledged the engine has nothing of the instance.
-- layer: engine
-- needs: purges
-- examined: SELECT count(*) FROM requests WHERE operation = 'purge' AND outcome = 'ok'
-- plants: UPDATE requests SET instance_id = (SELECT min(instance_id) FROM instances)
--   WHERE request_id = (SELECT min(request_id) FROM requests WHERE operation = 'purge' AND outcome = 'ok')
-- source: Dapr's "Workflow management" (purge removes all state of a workflow that has ended). What the scheduler still holds for it is told by left_behind. An instance that was created later is another one.
-- witness: {instance_id}: its purge was sent at {invoked_ns:at} and acknowledged at {completed_ns:at} ({request_id}), and the store still has {history_rows} rows of its history and {inbox_rows} of its inbox; it is {status:or}.
SELECT
    requests.instance_id,
    min(requests.request_id) AS request_id,
    min(requests.invoked_ns) AS invoked_ns,
    min(requests.completed_ns) AS completed_ns,
    max(instances.status) AS status,
    max(coalesce(instances.history_rows, 0)) AS history_rows,
    max(coalesce(instances.inbox_rows, 0)) AS inbox_rows
FROM requests
JOIN instances ON instances.instance_id = requests.instance_id
WHERE requests.operation = 'purge'
    AND requests.outcome = 'ok'
    AND coalesce(instances.created_ns < requests.completed_ns, TRUE)
GROUP BY requests.instance_id
ORDER BY requests.instance_id
