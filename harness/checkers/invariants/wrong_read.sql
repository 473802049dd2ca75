-- claim: What a client read of an instance is what the engine has of it: an end is read only once it has come and is the one that is stored, a pause or a terminate only after one was asked for, and an accepted instance is there.
-- layer: engine
-- needs: reads
-- examined: SELECT count(*) FROM requests WHERE operation = 'get' AND (outcome = 'ok' OR status = 404)
-- plants: UPDATE requests SET runtime_status = 'FAILED' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'COMPLETED' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'COMPLETED' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'RUNNING' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'SUSPENDED' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'RUNNING' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'TERMINATED' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'RUNNING' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'DONE' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'RUNNING' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = NULL, outcome = 'fail', status = 404, detail = 'gone' WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'COMPLETED' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'RUNNING', intended_ns = intended_ns + 20000000000, invoked_ns = invoked_ns + 20000000000,
--   completed_ns = completed_ns + 20000000000 WHERE request_id = (SELECT min(request_id) FROM requests WHERE runtime_status = 'COMPLETED' AND instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('pause', 'terminate', 'purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'))
-- source: Dapr 1.18 wfengine/client.go (the words of a status; UNKNOWN stands for STALLED, which its list lacks) and GetWorkflowMetadata, which reads the stored rows. The event of an end has its time before it is saved, so no read can have it earlier; it is saved within five seconds after it, as second_reading allows. 404 means that the engine has no such instance. A purge that was not refused takes the instance away; a start that was not answered, or another one, may begin it anew, so the end that is stored may be another's.
-- witness: {instance_id} was read as {told} at {completed_ns:at} ({request_id}, sent at {invoked_ns:at}), and {fault}.
WITH reads AS (
    SELECT
        request_id,
        instance_id,
        invoked_ns,
        completed_ns,
        coalesce(runtime_status, 'not there') AS told,
        coalesce(runtime_status IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED'), FALSE) AS is_end
    FROM requests
    WHERE operation = 'get' AND (outcome = 'ok' OR status = 404)
), asked AS (
    SELECT
        instance_id,
        min(CASE WHEN operation = 'pause' THEN invoked_ns END) AS paused_ns,
        min(CASE WHEN operation = 'terminate' THEN invoked_ns END) AS terminated_ns,
        min(CASE WHEN operation = 'purge' THEN invoked_ns END) AS purged_ns,
        bool_or(operation = 'start') AS begins_anew
    FROM requests
    WHERE outcome IS DISTINCT FROM 'fail'
    GROUP BY instance_id
), starts AS (
    SELECT
        instance_id,
        min(CASE WHEN outcome = 'ok' THEN completed_ns END) AS accepted_ns,
        bool_or(outcome = 'unknown') AS may_begin_anew
    FROM operations
    GROUP BY instance_id
), compared AS (
    SELECT
        reads.*,
        CASE
            WHEN reads.told NOT IN (
                'RUNNING', 'COMPLETED', 'CONTINUED_AS_NEW', 'FAILED', 'CANCELED', 'TERMINATED', 'PENDING', 'SUSPENDED', 'UNKNOWN', 'not there'
            ) THEN 'Dapr has no such status'
            WHEN reads.told = 'not there' AND starts.accepted_ns < reads.invoked_ns AND asked.purged_ns IS NULL
                THEN 'it had been accepted before, and nobody purged it'
            WHEN reads.told = 'SUSPENDED' AND coalesce(asked.paused_ns > reads.completed_ns, TRUE) THEN 'nobody had paused it'
            WHEN reads.told = 'TERMINATED' AND coalesce(asked.terminated_ns > reads.completed_ns, TRUE) THEN 'nobody had terminated it'
            WHEN reads.told <> 'not there' AND instances.instance_id IS NULL AND asked.purged_ns IS NULL THEN 'the store has no such instance'
            WHEN starts.may_begin_anew OR asked.begins_anew THEN NULL
            WHEN reads.is_end AND instances.status <> reads.told THEN 'the store has it as ' || instances.status
            WHEN reads.is_end AND instances.completed_ns > reads.completed_ns + 1000000 THEN 'it ended only later'
            WHEN NOT reads.is_end AND reads.told <> 'not there' AND instances.completed_ns < reads.invoked_ns - 5000000000
                THEN 'it had ended more than five seconds before'
        END AS fault
    FROM reads
    LEFT JOIN asked ON asked.instance_id = reads.instance_id
    LEFT JOIN starts ON starts.instance_id = reads.instance_id
    LEFT JOIN instances ON instances.instance_id = reads.instance_id
)
SELECT instance_id, request_id, invoked_ns, completed_ns, told, fault
FROM compared
WHERE fault IS NOT NULL
ORDER BY instance_id, request_id
