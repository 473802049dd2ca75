-- claim: Each start asks for the workflow that the plan decides.
-- severity: unknown
-- examined: SELECT count(*) FROM operations JOIN arrivals ON arrivals.instance_id = operations.instance_id
-- plants: UPDATE operations SET workflow = 'another' WHERE op_id = (SELECT min(op_id) FROM operations WHERE client <> 'canary')
-- source: harness/load/arrivals.py. Where the answer brings the id, the plan does not decide it.
-- witness: {instance_id}: the plan starts {workflow}, and try {try} asked for {asked:or}.
SELECT operations.instance_id, operations.try, arrivals.workflow, operations.workflow AS asked
FROM operations
JOIN arrivals ON arrivals.instance_id = operations.instance_id
WHERE operations.workflow IS DISTINCT FROM arrivals.workflow AND operations.client <> 'canary'
ORDER BY operations.instance_id, operations.try
