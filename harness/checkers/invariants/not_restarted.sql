-- claim: A start that was acknowledged for the id of an instance that has ended is a new execution: what the engine has of the id was begun by that start or by a later one, once for each.
-- layer: engine
-- needs: restarts
-- examined: SELECT count(*) FROM requests WHERE operation = 'start' AND outcome = 'ok'
-- plants: UPDATE instances SET generation = 1 WHERE instance_id = (SELECT min(instance_id) FROM requests WHERE operation = 'start' AND outcome = 'ok');
--   UPDATE instances SET created_ns = created_ns - 60000000000 WHERE instance_id = (SELECT min(instance_id) FROM requests WHERE operation = 'start' AND outcome = 'ok')
-- source: Dapr 1.18 orchestrator/create.go (createIfCompleted resets the state, which raises the generation; while an instance runs, the start is refused, and the answer is 500). The event that begins an execution has the time at which its start came to a sidecar; a difference of one millisecond is allowed between the clocks of two processes. That nothing is left of the first execution is told by history_whole, and that none is begun without a start by ran_again.
-- witness: {instance_id}: {asked} starts after the first were acknowledged, the last sent at {invoked_ns:at} ({request_id}), and {fault}.
WITH again AS (
    SELECT
        instance_id,
        count(*) AS asked,
        max(invoked_ns) AS invoked_ns,
        arg_max(request_id, invoked_ns) AS request_id
    FROM requests
    WHERE operation = 'start' AND outcome = 'ok'
    GROUP BY instance_id
), compared AS (
    SELECT
        again.*,
        CASE
            WHEN instances.instance_id IS NULL THEN 'the engine has no such instance'
            WHEN instances.created_ns < again.invoked_ns - 1000000
                THEN 'the execution that the engine has was begun ' || ((again.invoked_ns - instances.created_ns) // 1000000) || ' ms before that'
            WHEN instances.generation < again.asked + CASE WHEN calls.told = 'accepted' THEN 1 ELSE 0 END THEN 'it is in generation ' || instances.generation
        END AS fault
    FROM again
    LEFT JOIN instances ON instances.instance_id = again.instance_id
    LEFT JOIN calls ON calls.instance_id = again.instance_id
)
SELECT instance_id, request_id, asked, invoked_ns, fault
FROM compared
WHERE fault IS NOT NULL
ORDER BY instance_id
