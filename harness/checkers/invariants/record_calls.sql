-- claim: Each call is recorded as clients make them: numbered by its client without a gap, sent to a replica when it was due, tried again only after the try before it, and with an error in words only if it was not accepted.
-- severity: unknown
-- examined: SELECT count(*) FROM operations
-- catches: call_renumbered, call_to_nobody, call_undue, call_of_stranger
-- source: harness/load/operations.py, harness/locust/user.py, harness/running/canary.py. Calls are not counted if lines of journals were torn.
-- witness: call {op_id:or} of {instance_id:or}: {fault}.
WITH again AS (
    SELECT tries.op_id AS again_id, max(earlier.completed_ns) AS before_ns
    FROM operations AS tries
    JOIN operations AS earlier ON earlier.instance_id = tries.instance_id AND earlier.try = tries.try - 1
    WHERE tries.try > 1
    GROUP BY tries.op_id
), numbered AS (
    SELECT
        operations.*,
        CASE WHEN starts_with(op_id, client || '/') THEN try_cast(regexp_replace(substr(op_id, length(client) + 2), '~\d+$', '') AS BIGINT) END AS number,
        again.before_ns
    FROM operations
    LEFT JOIN again ON again.again_id = operations.op_id
), following AS (
    -- The copies of a call in a synthetic run (`~` in their ids) do not follow one another.
    SELECT *, lag(invoked_ns) OVER (PARTITION BY client ORDER BY number, op_id) AS earlier_ns
    FROM numbered
    WHERE NOT contains(op_id, '~')
    UNION ALL
    SELECT *, NULL
    FROM numbered
    WHERE coalesce(contains(op_id, '~'), TRUE)
), doubted AS (
    SELECT
        op_id,
        instance_id,
        CASE
            WHEN earlier_ns > invoked_ns THEN 'its number is higher than that of a later call'
            WHEN client IS NULL OR (client <> 'canary' AND NOT starts_with(client, 'locust-')) THEN 'its client is none of a run'
            WHEN (client = 'canary') <> starts_with(instance_id, 'canary-') AND workflow NOT IN (SELECT workflow FROM ids_by_answer) THEN 'it is not of this client'
            WHEN number IS NULL OR number < 1 THEN 'it has no number of its client'
            WHEN node IS NULL OR node NOT IN (SELECT node FROM nodes) OR NOT (starts_with(node, 'app-') OR starts_with(node, 'sidecar-'))
                THEN 'it was sent to ' || coalesce(node, 'nobody') || ', which is no replica'
            WHEN intended_ns > invoked_ns THEN 'it was sent before it was due'
            WHEN invoked_ns - intended_ns > 600000000000 THEN 'it was sent more than ten minutes after it was due'
            WHEN completed_ns - invoked_ns > 600000000000 THEN 'it was answered more than ten minutes later'
            WHEN try > 1 AND before_ns > intended_ns THEN 'it was due before the try before it was answered'
            WHEN outcome = 'ok' AND detail IS NOT NULL THEN 'it was accepted, and has an error'
            WHEN outcome IN ('fail', 'unknown') AND detail IS NULL THEN 'it was not accepted, and has no error'
            WHEN outcome = 'unknown' AND completed_ns IS NULL AND status IS NOT NULL THEN 'it has a status, and was never answered'
        END AS fault
    FROM following
), gaps AS (
    SELECT client, count(*) AS calls, max(number) AS last_number
    FROM numbered
    WHERE number IS NOT NULL
    GROUP BY client
    HAVING count(*) <> max(number)
)
SELECT op_id, instance_id, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT client, NULL, 'of this client there are ' || calls || ' calls with numbers up to ' || last_number
FROM gaps
WHERE NOT EXISTS (SELECT 1 FROM journals WHERE torn > 0) AND (SELECT max(copies) FROM promised) = 1
ORDER BY op_id, instance_id, fault
