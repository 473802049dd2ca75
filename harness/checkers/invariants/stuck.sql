-- claim: Every instance that the engine has ends within the settle time after the last fault was healed.
-- layer: not decided
-- examined: SELECT count(*) FROM classes WHERE stored AND (SELECT settled FROM run)
-- catches: end_undone
-- witness: {instance_id} was started at {created_ns:at} and is still {status} after the settle time; the engine's last event is {event} {name:or} at {at_ns:at}; the ledger holds {ledger}.
SELECT
    classes.instance_id,
    classes.created_ns,
    classes.status,
    last.event,
    last.name,
    last.at_ns
FROM classes
LEFT JOIN (
    SELECT
        instance_id,
        arg_max(event, position) AS event,
        arg_max(name, position) AS name,
        max(at_ns) AS at_ns
    FROM history
    WHERE instance_id IN (SELECT instance_id FROM classes WHERE stuck)
    GROUP BY instance_id
) AS last USING (instance_id)
WHERE classes.stuck
ORDER BY classes.instance_id
