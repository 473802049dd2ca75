-- claim: An event in a history is one that a client raised: with its payload, no more often than it was raised, and not before.
-- layer: engine
-- needs: requests
-- examined: SELECT count(*)
--   FROM history
--   JOIN instances ON instances.instance_id = history.instance_id
--   JOIN raised ON raised.workflow = instances.workflow AND lower(raised.name) = lower(history.name)
--   WHERE history.event = 'eventRaised'
-- plants: UPDATE requests SET outcome = 'fail' WHERE request_id = (SELECT min(requests.request_id)
--   FROM requests JOIN history ON history.instance_id = requests.instance_id WHERE history.event = 'eventRaised');
--   UPDATE history SET payload = '"another"' WHERE event = 'eventRaised' AND instance_id = (SELECT min(instance_id)
--   FROM requests WHERE outcome = 'ok' AND instance_id IN (SELECT instance_id FROM history WHERE event = 'eventRaised'))
-- source: The plan says which events of which workflows clients raise; nobody else raises events of these names. Dapr 1.18 orchestrator/add.go drops an event that a repeated call between sidecars brings again, and orchestrator/dedup says how it is recognised. A raise without an answer may have raised the event. A difference of one millisecond is allowed between the clocks of two processes.
-- witness: {instance_id}: its history has the event {name:or} with the payload {payload:or} {found} times, first at {first_ns:at}; clients raised it {asked} times without being refused, first at {invoked_ns:at}.
WITH taken AS (
    SELECT
        history.instance_id,
        lower(history.name) AS name,
        history.payload,
        count(*) AS found,
        min(history.at_ns) AS first_ns
    FROM history
    JOIN instances ON instances.instance_id = history.instance_id
    JOIN raised ON raised.workflow = instances.workflow AND lower(raised.name) = lower(history.name)
    WHERE history.event = 'eventRaised'
    GROUP BY history.instance_id, lower(history.name), history.payload
), asked AS (
    SELECT
        instance_id,
        lower(name) AS name,
        payload,
        count(*) AS asked,
        min(invoked_ns) AS invoked_ns
    FROM requests
    WHERE operation = 'raiseEvent' AND outcome IS DISTINCT FROM 'fail'
    GROUP BY instance_id, lower(name), payload
)
SELECT
    taken.instance_id,
    taken.name,
    taken.payload,
    taken.found,
    taken.first_ns,
    coalesce(asked.asked, 0) AS asked,
    asked.invoked_ns
FROM taken
LEFT JOIN asked
    ON asked.instance_id = taken.instance_id
    AND asked.name = taken.name
    AND asked.payload IS NOT DISTINCT FROM taken.payload
WHERE coalesce(asked.asked, 0) < taken.found OR taken.first_ns < asked.invoked_ns - 1000000
ORDER BY taken.instance_id, taken.name, taken.payload
