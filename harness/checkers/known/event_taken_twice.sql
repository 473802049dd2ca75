-- title: An event is taken in again by the repetition of a turn whose orders could not be sent.
-- number: 12
-- layer: engine
-- seen: 1.18.2
-- explains: phantom_request
-- sentence: {instance_id}: the event {name}, which the engine got once, at {at_ns:at}, is in its history at position
--   {first_position} and again at {again_position}, in a later turn; after {fault} of {node} ({applied_ns:at}).
WITH twice AS (
    -- Required: the same event, not another one of its name. The engine gives each event that it gets a time of its own, to the
    -- nanosecond, so no client and no application can have two with one time.
    SELECT
        instance_id,
        name,
        at_ns,
        min(position) AS first_position,
        max(position) AS again_position
    FROM history
    WHERE event = 'eventRaised'
    GROUP BY instance_id, name, payload, at_ns
    HAVING count(*) = 2
), hit AS (
    -- Required: before it was taken in again, a sidecar had been hit, to which the turn would have sent what it ordered.
    SELECT
        twice.instance_id,
        twice.first_position,
        max(faults.applied_ns) AS applied_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS node
    FROM twice
    JOIN history AS turns
        ON turns.instance_id = twice.instance_id
        AND turns.position = twice.again_position - 1
        AND turns.event = 'workflowStarted'
    JOIN faults ON faults.applied_ns < turns.at_ns
    GROUP BY twice.instance_id, twice.first_position
)
-- Required: a whole history, in which the two are in different turns.
SELECT
    twice.instance_id,
    twice.name,
    twice.at_ns,
    twice.first_position,
    twice.again_position,
    hit.fault,
    hit.node,
    hit.applied_ns
FROM twice
JOIN hit ON hit.instance_id = twice.instance_id AND hit.first_position = twice.first_position
JOIN instances ON instances.instance_id = twice.instance_id
JOIN histories ON histories.instance_id = twice.instance_id
WHERE histories.whole AND instances.history_length = instances.history_rows
ORDER BY twice.instance_id, twice.first_position
