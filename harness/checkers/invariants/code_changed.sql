-- claim: The code of a workflow orders again what the histories of its instances have: none is ended because its SDK says that the code orders something else.
-- layer: app
-- examined: SELECT count(*) FROM instances WHERE status IN ('COMPLETED', 'FAILED')
-- plants: UPDATE history SET error = 'NonDeterminismError: a previous execution called another activity'
--   WHERE event = 'executionCompleted' AND instance_id = (SELECT min(instance_id) FROM instances WHERE status = 'COMPLETED')
-- source: the errors of the SDKs: NonDeterminismError (Python dapr-ext-workflow, JavaScript durabletask-js), NonDeterministicOrchestratorException (Java durabletask-client), "a previous execution called" (Go durabletask-go task/orchestrator.go). Code that was changed in place is the usual cause: what is deployed beside instances in flight needs another version, or a patch.
-- witness: {instance_id} was started at {created_ns:at} and ended as {status:or} at {at_ns:at}, because its code no longer orders what its history has: {error}
SELECT history.instance_id, history.at_ns, history.error, instances.status, instances.created_ns
FROM history
LEFT JOIN instances ON instances.instance_id = history.instance_id
WHERE history.event = 'executionCompleted'
    AND (lower(history.error) LIKE '%nondeterminis%' OR lower(history.error) LIKE '%a previous execution called%')
ORDER BY history.instance_id, history.at_ns
