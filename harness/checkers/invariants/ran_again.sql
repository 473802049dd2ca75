-- claim: The engine runs an instance no more often than clients may have started it.
-- layer: engine
-- examined: SELECT count(*) FROM classes WHERE stored AND told IN ('accepted', 'unknown')
-- catches: generation_raised
-- source: Dapr 1.18 orchestrator/create.go (a new start of an id that has ended resets the state and raises the generation). Continue-as-new raises the generation too. It is recognised by its first workflowStarted event, which is not younger than the start event, because the start event is made after it.
-- witness: {instance_id} is in generation {generation}, but only {starts} requests to start it were not refused.
SELECT
    classes.instance_id,
    classes.generation,
    classes.starts
FROM classes
WHERE classes.generation > classes.starts
    AND NOT EXISTS (
        SELECT 1
        FROM history
        WHERE history.instance_id = classes.instance_id
            AND history.position = 0
            AND history.at_ns <= classes.created_ns
    )
ORDER BY classes.instance_id
