-- title: An event is taken in again by the repetition of a turn whose orders could not be sent.
-- number: 12
-- layer: engine
-- seen: 1.18.2
-- explains: phantom_request
-- sentence: {instance_id}: the event {name}, which the engine got once, at {at_ns:at}, is in its history at position
--   {first_position} and again at {again_position}, in a later turn; after {fault} of {node} ({applied_ns:at}).
WITH taken AS (
    -- The same event, not another one of its name. The engine gives each event that it gets a time of its own, to the
    -- nanosecond, so no client and no application can have two with one time.
    SELECT
        instance_id,
        name,
        at_ns,
        position,
        min(position) OVER same AS first_position,
        count(*) OVER same - 1 AS repetitions
    FROM history
    WHERE event = 'eventRaised'
    WINDOW same AS (PARTITION BY instance_id, name, payload, at_ns)
), repeated AS (
    -- Required of each repetition: it is the first of a turn, and before that a sidecar had been hit, to which an earlier turn
    -- would have sent what it ordered.
    SELECT
        taken.instance_id,
        taken.name,
        taken.at_ns,
        taken.first_position,
        max(taken.position) AS again_position,
        max(faults.applied_ns) AS applied_ns,
        arg_max(faults.fault, faults.applied_ns) AS fault,
        arg_max(faults.node, faults.applied_ns) AS node
    FROM taken
    JOIN history AS turns
        ON turns.instance_id = taken.instance_id
        AND turns.position = taken.position - 1
        AND turns.event = 'workflowStarted'
    JOIN faults ON faults.applied_ns < turns.at_ns
    WHERE taken.position > taken.first_position
    GROUP BY taken.instance_id, taken.name, taken.at_ns, taken.first_position, taken.repetitions
    HAVING count(DISTINCT taken.position) = taken.repetitions
)
-- Required: a whole history.
SELECT
    repeated.instance_id,
    repeated.name,
    repeated.at_ns,
    repeated.first_position,
    repeated.again_position,
    repeated.fault,
    repeated.node,
    repeated.applied_ns
FROM repeated
JOIN instances ON instances.instance_id = repeated.instance_id
JOIN histories ON histories.instance_id = repeated.instance_id
WHERE histories.whole AND instances.history_length = instances.history_rows
ORDER BY repeated.instance_id, repeated.first_position
