-- claim: The engine runs an instance no more often than clients may have started it.
-- layer: engine
-- examined: SELECT count(*) FROM classes WHERE stored AND told IN ('accepted', 'unknown')
-- catches: generation_raised
-- source: Dapr 1.18 orchestrator/create.go (a new start of an id that has ended resets the state and raises the generation). Continue-as-new raises the generation too. It is recognised by its first workflowStarted event, which is not younger than the start event, because the start event is made after it.
-- witness: {instance_id} is in generation {generation}, but only {starts} requests to start it were not refused.
WITH again AS (
    SELECT instance_id, count(*) AS starts
    FROM requests
    WHERE operation = 'start' AND outcome IS DISTINCT FROM 'fail'
    GROUP BY instance_id
)
SELECT
    classes.instance_id,
    classes.generation,
    classes.starts + coalesce(again.starts, 0) AS starts
FROM classes
LEFT JOIN again ON again.instance_id = classes.instance_id
WHERE classes.generation > classes.starts + coalesce(again.starts, 0)
    AND NOT EXISTS (
        SELECT 1
        FROM history
        WHERE history.instance_id = classes.instance_id
            AND history.position = 0
            AND history.at_ns <= classes.created_ns
    )
ORDER BY classes.instance_id
