-- claim: A purge that was acknowledged reaches the children: of them the engine has nothing any more either.
-- layer: engine
-- needs: purges, children
-- examined: SELECT count(*)
--   FROM requests
--   JOIN calls ON calls.instance_id = requests.instance_id
--   WHERE requests.operation = 'purge' AND requests.outcome = 'ok' AND calls.workflow IN (
--   SELECT parents.workflow FROM instances AS parents JOIN instances AS children ON children.parent_id = parents.instance_id)
-- plants: UPDATE instances SET parent_id = (SELECT min(instance_id) FROM requests WHERE operation = 'purge' AND outcome = 'ok'),
--   root_id = (SELECT min(instance_id) FROM requests WHERE operation = 'purge' AND outcome = 'ok'), created_ns = NULL
--   WHERE instance_id = (SELECT min(instance_id) FROM instances WHERE root_id IS NOT NULL)
-- source: Dapr 1.18 pkg/api/universal/workflow.go (PurgeWorkflow always asks for the children, too) and durabletask-go backend/backend.go (purgeWorkflowState: the children first, and none of it if one of them has not ended). A child that was created later than the purge was acknowledged is another one.
-- witness: {instance_id}: the purge of {root_id}, at the head of its family, was sent at {invoked_ns:at} and acknowledged at {completed_ns:at} ({request_id}), and the store still has it as {status:or}, with {history_rows} rows of its history and {inbox_rows} of its inbox.
SELECT
    children.instance_id,
    children.root_id,
    min(requests.request_id) AS request_id,
    min(requests.invoked_ns) AS invoked_ns,
    min(requests.completed_ns) AS completed_ns,
    max(children.status) AS status,
    max(coalesce(children.history_rows, 0)) AS history_rows,
    max(coalesce(children.inbox_rows, 0)) AS inbox_rows
FROM instances AS children
JOIN requests ON requests.instance_id = children.root_id
WHERE requests.operation = 'purge'
    AND requests.outcome = 'ok'
    AND coalesce(children.created_ns < requests.completed_ns, TRUE)
GROUP BY children.instance_id, children.root_id
ORDER BY children.instance_id
