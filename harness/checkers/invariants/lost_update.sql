-- claim: No update of a document in the state store is lost: of two executions that have read the same version of it, not both save it.
-- layer: app
-- needs: updates
-- examined: SELECT count(*) FROM updates
-- catches: lost_update, update_overlapped
-- source: both saves were answered well, so the later one has overwritten the earlier one without having read it. If both have an etag or are first writes, Dapr refuses the later one (Dapr documentation, state management, "Concurrency"). Two executions of one task may overwrite each other, because they make one update. The table `updates` says which executions are known to have read what they save.
-- witness: {key} in {component}: {node} read version {version} at {read_ns:at} and saved it at {called_ns:at}{how}, and {other_node} read the same version at {other_read_ns:at} and saved it at {other_called_ns:at}{other_how}; so one of the two updates is lost.
WITH compared AS (
    SELECT
        *,
        max(answered_ns) OVER (
            PARTITION BY app, component, key, etag
            ORDER BY read_ns, answered_ns, call_id, position
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS any_ns,
        max(CASE WHEN NOT guarded THEN answered_ns END) OVER (
            PARTITION BY app, component, key, etag
            ORDER BY read_ns, answered_ns, call_id, position
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS unguarded_ns
    FROM updates
), met AS (
    SELECT *, CASE WHEN guarded THEN unguarded_ns ELSE any_ns END AS met_ns
    FROM compared
), overlapping AS (
    SELECT
        met.call_id,
        met.position,
        met.component,
        met.key,
        coalesce(met.etag, 'none') AS version,
        met.node,
        met.read_ns,
        met.called_ns,
        CASE WHEN met.guarded THEN '' ELSE ' without an etag' END AS how,
        others.node AS other_node,
        others.read_ns AS other_read_ns,
        others.called_ns AS other_called_ns,
        CASE WHEN others.guarded THEN '' ELSE ' without an etag' END AS other_how,
        row_number() OVER (
            PARTITION BY met.call_id, met.position
            ORDER BY others.call_id, others.position
        ) AS number
    FROM met
    JOIN updates AS others
        ON others.app = met.app
        AND others.component = met.component
        AND others.key = met.key
        AND others.etag IS NOT DISTINCT FROM met.etag
        AND others.answered_ns = met.met_ns
        AND others.read_ns <= met.read_ns
        AND others.call_id <> met.call_id
    WHERE met.met_ns > met.read_ns
), executed AS (
    SELECT instance_id, task_id, attempt_id, node, delivered_ns, coalesce(completed_ns, 9223372036854775807) AS until_ns
    FROM deliveries
), twins AS (
    SELECT overlapping.call_id, overlapping.position
    FROM overlapping
    JOIN executed
        ON executed.node = overlapping.node
        AND overlapping.called_ns BETWEEN executed.delivered_ns AND executed.until_ns
    JOIN executed AS others
        ON others.instance_id = executed.instance_id
        AND others.task_id = executed.task_id
        AND others.attempt_id <> executed.attempt_id
        AND others.node = overlapping.other_node
        AND overlapping.other_called_ns BETWEEN others.delivered_ns AND others.until_ns
)
SELECT component, key, version, node, read_ns, called_ns, how, other_node, other_read_ns, other_called_ns, other_how
FROM overlapping
ANTI JOIN twins ON twins.call_id = overlapping.call_id AND twins.position = overlapping.position
WHERE overlapping.number = 1
ORDER BY component, key, called_ns, node, other_called_ns
