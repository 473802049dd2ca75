-- claim: A terminate reaches the children of an instance that it ends: each of them ends, as TERMINATED unless it had ended by itself before, and orders nothing more.
-- layer: engine
-- needs: terminates, children
-- examined: SELECT count(*)
--   FROM instances AS children
--   JOIN instances AS parents ON parents.instance_id = children.parent_id AND parents.status = 'TERMINATED'
-- plants: UPDATE instances SET status = 'COMPLETED', completed_ns = completed_ns + 60000000000 WHERE instance_id = (SELECT min(children.instance_id)
--   FROM instances AS children JOIN instances AS parents ON parents.instance_id = children.parent_id AND parents.status = 'TERMINATED');
--   UPDATE instances SET status = 'RUNNING', completed_ns = NULL WHERE instance_id = (SELECT min(children.instance_id)
--   FROM instances AS children JOIN instances AS parents ON parents.instance_id = children.parent_id AND parents.status = 'TERMINATED');
--   UPDATE history SET event = 'taskScheduled', at_ns = at_ns + 60000000000 WHERE event = 'executionTerminated' AND instance_id = (SELECT min(children.instance_id)
--   FROM instances AS children JOIN instances AS parents ON parents.instance_id = children.parent_id AND parents.status = 'TERMINATED')
-- source: Dapr 1.18 pkg/api/universal/workflow.go (TerminateWorkflow always asks for the children, too) and durabletask-go backend/orchestration.go (terminateChildWorkflowInstances: each child has the terminate in its inbox before the turn that ended the parent is saved). From the time of the parent's end, which is made just before that, two seconds are allowed; 60 seconds if a fault was in force meanwhile, because the turn may have stood still in between. A child may have ended by itself before the terminate came to it.
-- witness: {instance_id}: its parent {parent_id} ended as TERMINATED at {parent_ns:at}, and {fault}.
WITH parents AS (
    SELECT
        instances.instance_id,
        instances.completed_ns,
        instances.completed_ns + CASE
            WHEN EXISTS (
                SELECT 1
                FROM faults
                WHERE faults.applied_ns < instances.completed_ns + 2000000000
                    AND coalesce(faults.healed_ns, faults.applied_ns) > instances.completed_ns - 2000000000
            ) THEN 60000000000
            ELSE 2000000000
        END AS reached_ns
    FROM instances
    WHERE instances.status = 'TERMINATED'
        AND instances.instance_id IN (SELECT instance_id FROM history WHERE event = 'executionTerminated')
), moves AS (
    SELECT
        instance_id,
        max(CASE WHEN event = 'workflowStarted' THEN at_ns END) AS turn_ns,
        max(
            CASE
                WHEN event IN (
                    'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent'
                ) THEN at_ns
            END
        ) AS ordered_ns
    FROM history
    WHERE instance_id IN (SELECT instance_id FROM instances WHERE parent_id IS NOT NULL)
    GROUP BY instance_id
), compared AS (
    SELECT
        children.instance_id,
        parents.instance_id AS parent_id,
        parents.completed_ns AS parent_ns,
        CASE
            WHEN moves.ordered_ns > parents.reached_ns
                THEN 'it ordered something ' || ((moves.ordered_ns - parents.completed_ns) // 1000000) || ' ms later'
            WHEN children.completed_ns IS NULL AND (SELECT settled FROM run) THEN 'it is ' || children.status
            WHEN children.status <> 'TERMINATED' AND greatest(children.completed_ns, moves.turn_ns) > parents.reached_ns
                THEN 'it ended as ' || children.status || ' ' || ((children.completed_ns - parents.completed_ns) // 1000000) || ' ms later'
        END AS fault
    FROM instances AS children
    JOIN parents ON parents.instance_id = children.parent_id
    LEFT JOIN moves ON moves.instance_id = children.instance_id
)
SELECT instance_id, parent_id, parent_ns, fault
FROM compared
WHERE fault IS NOT NULL
ORDER BY instance_id
