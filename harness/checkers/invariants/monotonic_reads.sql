-- claim: What a client read of an instance is never taken back: after a read that had it ended, a later one has it ended in the same way; none has it as not begun once one had it begun; and once it was there, it is there.
-- layer: engine
-- needs: reads
-- examined: SELECT count(*)
--   FROM requests AS first
--   JOIN requests AS second ON second.instance_id = first.instance_id AND second.invoked_ns > first.completed_ns
--   WHERE first.operation = 'get' AND second.operation = 'get' AND first.outcome = 'ok' AND (second.outcome = 'ok' OR second.status = 404)
-- plants: UPDATE requests SET runtime_status = 'COMPLETED' WHERE request_id = (SELECT min(first.request_id)
--   FROM requests AS first JOIN requests AS second ON second.instance_id = first.instance_id AND second.invoked_ns > first.completed_ns
--   WHERE first.runtime_status = 'RUNNING' AND second.runtime_status = 'RUNNING' AND first.instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = 'PENDING' WHERE request_id = (SELECT max(second.request_id)
--   FROM requests AS first JOIN requests AS second ON second.instance_id = first.instance_id AND second.invoked_ns > first.completed_ns
--   WHERE first.runtime_status = 'RUNNING' AND second.runtime_status = 'RUNNING' AND first.instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE requests SET runtime_status = NULL, outcome = 'fail', status = 404, detail = 'gone' WHERE request_id = (SELECT max(second.request_id)
--   FROM requests AS first JOIN requests AS second ON second.instance_id = first.instance_id AND second.invoked_ns > first.completed_ns
--   WHERE first.runtime_status = 'RUNNING' AND second.runtime_status = 'RUNNING' AND first.instance_id NOT IN (
--   SELECT instance_id FROM requests WHERE operation IN ('purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'));
--   UPDATE readings SET status = 'RUNNING' WHERE instance_id = (SELECT min(instance_id) FROM requests WHERE runtime_status = 'COMPLETED'
--   AND instance_id NOT IN (SELECT instance_id FROM requests WHERE operation IN ('purge', 'start') UNION ALL SELECT instance_id FROM operations WHERE outcome = 'unknown'))
-- source: Monotonic reads (jepsen.io/consistency). Dapr 1.18 wfengine/backends/actors/actors.go (GetWorkflowMetadata) reads the rows of the state store, whichever sidecar is asked. The harness's own reading of each instance (`readings`) counts as the last. Of two reads that were on their way at the same time nothing is said. A purge that was not refused may take the instance away, and one that was started again, or whose start was not answered, may have begun anew. 404 means that the engine has no such instance.
-- witness: {instance_id} was {earlier} at {earlier_ns:at} ({earlier_id}), and {later} at {later_ns:at} ({later_id}), though clients asked for nothing that could be the reason.
WITH reads AS (
    SELECT
        instance_id,
        request_id AS read_id,
        invoked_ns,
        completed_ns,
        coalesce(runtime_status, 'not there') AS status
    FROM requests
    WHERE operation = 'get' AND (outcome = 'ok' OR status = 404)
    UNION ALL
    SELECT instance_id, 'the last reading', asked_ns, answered_ns, coalesce(status, 'not there')
    FROM readings
    WHERE error IS NULL AND instance_id IN (SELECT instance_id FROM requests WHERE operation = 'get')
), may_begin_anew AS (
    SELECT DISTINCT instance_id
    FROM operations
    WHERE outcome = 'unknown'
), purged AS (
    SELECT instance_id, min(invoked_ns) AS at_ns
    FROM requests
    WHERE operation IN ('purge', 'start') AND outcome IS DISTINCT FROM 'fail'
    GROUP BY instance_id
), taken_back AS (
    SELECT
        earlier.instance_id,
        earlier.status AS earlier,
        earlier.completed_ns AS earlier_ns,
        earlier.read_id AS earlier_id,
        later.status AS later,
        later.invoked_ns AS later_ns,
        later.read_id AS later_id
    FROM reads AS earlier
    JOIN reads AS later ON later.instance_id = earlier.instance_id AND later.invoked_ns > earlier.completed_ns
    WHERE earlier.status <> later.status
        AND (
            earlier.status IN ('COMPLETED', 'FAILED', 'TERMINATED', 'CANCELED')
            OR (later.status = 'PENDING' AND earlier.status <> 'not there')
            OR (later.status = 'not there')
        )
)
SELECT taken_back.*
FROM taken_back
ANTI JOIN may_begin_anew ON may_begin_anew.instance_id = taken_back.instance_id
LEFT JOIN purged ON purged.instance_id = taken_back.instance_id
WHERE NOT coalesce(purged.at_ns <= taken_back.later_ns, FALSE)
QUALIFY row_number() OVER (PARTITION BY taken_back.instance_id ORDER BY earlier_ns, later_ns, earlier_id, later_id) = 1
ORDER BY taken_back.instance_id
