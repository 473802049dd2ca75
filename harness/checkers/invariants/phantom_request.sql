-- claim: An event, a pause, a resume or a terminate in a history is one that a client asked for: with its payload, no more often than it was asked for, and not before.
-- layer: engine
-- needs: taken
-- examined: SELECT count(*)
--   FROM history
--   JOIN instances ON instances.instance_id = history.instance_id AND instances.root_id IS NULL
--   JOIN raised
--     ON raised.workflow = instances.workflow
--     AND raised.event = history.event
--     AND (raised.name IS NULL OR lower(raised.name) = lower(history.name))
-- plants: UPDATE requests SET outcome = 'fail' WHERE request_id = (SELECT min(requests.request_id)
--   FROM requests JOIN history ON history.instance_id = requests.instance_id
--   WHERE (requests.operation, history.event) IN (('raiseEvent', 'eventRaised'), ('pause', 'executionSuspended'), ('resume', 'executionResumed'), ('terminate', 'executionTerminated')));
--   UPDATE history SET payload = '"another"' WHERE event = 'eventRaised' AND instance_id = (SELECT min(instance_id)
--   FROM requests WHERE outcome = 'ok' AND instance_id IN (SELECT instance_id FROM history WHERE event = 'eventRaised'))
-- source: The plan says what clients ask of the instances of which workflows; nobody else asks that of them. A child is terminated with its parent, so children are left out. Dapr 1.18 orchestrator/add.go drops an event that a repeated call between sidecars brings again, and orchestrator/dedup says how it is recognised. A request without an answer may have been carried out. A difference of one millisecond is allowed between the clocks of two processes.
-- witness: {instance_id}: its history has {event} {name:or} with the payload {payload:or} {found} times, first at {first_ns:at}; clients asked for it {asked} times without being refused, first at {invoked_ns:at}.
WITH taken AS (
    SELECT
        history.instance_id,
        history.event,
        lower(raised.name) AS name,
        CASE WHEN raised.name IS NOT NULL THEN history.payload END AS payload,
        count(*) AS found,
        min(history.at_ns) AS first_ns
    FROM history
    JOIN instances ON instances.instance_id = history.instance_id AND instances.root_id IS NULL
    JOIN raised
        ON raised.workflow = instances.workflow
        AND raised.event = history.event
        AND (raised.name IS NULL OR lower(raised.name) = lower(history.name))
    GROUP BY 1, 2, 3, 4
), asked AS (
    SELECT
        requests.instance_id,
        becomes.event,
        lower(requests.name) AS name,
        requests.payload,
        count(*) AS asked,
        min(requests.invoked_ns) AS invoked_ns
    FROM requests
    JOIN becomes ON becomes.operation = requests.operation
    WHERE requests.outcome IS DISTINCT FROM 'fail'
    GROUP BY 1, 2, 3, 4
)
SELECT
    taken.instance_id,
    taken.event,
    taken.name,
    taken.payload,
    taken.found,
    taken.first_ns,
    coalesce(asked.asked, 0) AS asked,
    asked.invoked_ns
FROM taken
LEFT JOIN asked
    ON asked.instance_id = taken.instance_id
    AND asked.event = taken.event
    AND asked.name IS NOT DISTINCT FROM taken.name
    AND asked.payload IS NOT DISTINCT FROM taken.payload
WHERE coalesce(asked.asked, 0) < taken.found OR taken.first_ns < asked.invoked_ns - 1000000
ORDER BY taken.instance_id, taken.event, taken.name, taken.payload
