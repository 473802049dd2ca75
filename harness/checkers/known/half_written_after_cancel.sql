-- title: After a save whose answer it did not get, the only owner of a workflow writes its next save half.
-- number: 6
-- layer: store
-- seen: 1.18.2
-- upstream: dapr/components-contrib#2071
-- explains: history_whole, stuck, left_behind, record_readings
-- sentence: {instance_id} is RUNNING, and nobody can load it: its metadata counts {history_length} rows of history and
--   {inbox_length} events in the inbox, and the store has {history_rows} and {inbox_rows}; the last turn that was written took
--   {taken} events, and metadata does not know of it ({fault} of {node} was at {applied_ns:at}).
WITH unloadable AS (
    -- A save was canceled, and Redis had done it. Its owner did not learn the new etag of metadata, so its next save, that of a
    -- turn, was refused at metadata, and Redis keeps what came before it: the turn's rows of the history are there, and the
    -- events that it took are not in the inbox any more. Where the canceled save was that of the same turn, the rows of the
    -- history are the same, and only the inbox shows it: all of it is gone. (With rows of the inbox left, and a history that is
    -- whole, it is inbox_hole; where the workflow may have had two owners, it is half_written_inbox.)
    SELECT instance_id, history_length, history_rows, inbox_length, inbox_rows, coalesce(created_ns, 0) AS created_ns
    FROM instances
    WHERE status = 'RUNNING'
        AND history_length > 0
        AND inbox_length > inbox_rows
        AND (history_rows > history_length OR (history_rows = history_length AND inbox_rows = 0))
        AND instance_id IN (SELECT jobs.instance_id FROM jobs WHERE jobs.kind = 'workflow')
), turns AS (
    SELECT
        history.instance_id,
        history.position,
        history.event,
        history.at_ns,
        count_if(history.event = 'workflowStarted') OVER (PARTITION BY history.instance_id ORDER BY history.position) AS turn
    FROM history
    JOIN unloadable ON unloadable.instance_id = history.instance_id
), outlined AS (
    SELECT
        instance_id,
        turn,
        min(position) AS position,
        max(at_ns) FILTER (WHERE event = 'workflowStarted') AS at_ns,
        count_if(event IN ('taskCompleted', 'taskFailed', 'timerFired', 'eventRaised')) AS taken
    FROM turns
    GROUP BY instance_id, turn
), refused AS (
    SELECT
        unloadable.instance_id,
        unloadable.created_ns,
        unloadable.history_length,
        unloadable.history_rows,
        unloadable.inbox_length,
        unloadable.inbox_rows,
        outlined.at_ns,
        outlined.taken
    FROM unloadable
    JOIN outlined ON outlined.instance_id = unloadable.instance_id
    WHERE CASE
        WHEN unloadable.history_rows > unloadable.history_length
            THEN outlined.position = unloadable.history_length
                AND outlined.taken = unloadable.inbox_length - unloadable.inbox_rows
        ELSE outlined.taken >= unloadable.inbox_length
            AND outlined.turn = (SELECT max(last.turn) FROM outlined AS last WHERE last.instance_id = unloadable.instance_id)
    END
), contested AS (
    SELECT DISTINCT refused.instance_id
    FROM refused
    JOIN contests ON contests.until_ns > refused.created_ns + 15000000000
    WHERE refused.history_rows > refused.history_length
)
SELECT
    refused.instance_id,
    refused.history_length,
    refused.history_rows,
    refused.inbox_length,
    refused.inbox_rows,
    refused.taken,
    arg_max(faults.fault, faults.applied_ns) AS fault,
    arg_max(faults.node, faults.applied_ns) AS node,
    max(faults.applied_ns) AS applied_ns
FROM refused
JOIN faults
    -- What cut off calls between the engine's parts, or to the store, in the instance's life or half a minute before.
    ON faults.node NOT LIKE 'provider%'
    AND faults.applied_ns < refused.at_ns + 5000000000
    AND coalesce(faults.healed_ns, faults.applied_ns) + 30000000000 > refused.created_ns
WHERE refused.instance_id NOT IN (SELECT contested.instance_id FROM contested)
GROUP BY ALL
ORDER BY refused.instance_id
