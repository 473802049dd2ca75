-- title: A resume of a workflow that is not paused makes it fail.
-- number: 18
-- layer: SDK
-- seen: 1.18.2
-- explains: failed, half_compensated
-- sentence: {instance_id} took in a resume at position {position} ({at_ns:at}) while it was not paused, and ended as FAILED ({error}).
WITH resumes AS (
    -- Required: a resume that finds no pause before it, or one that was resumed already.
    SELECT resumed.instance_id, min(resumed.position) AS position, min(resumed.at_ns) AS at_ns
    FROM history AS resumed
    WHERE resumed.event = 'executionResumed'
        AND NOT EXISTS (
            SELECT 1
            FROM history AS pauses
            WHERE pauses.instance_id = resumed.instance_id
                AND pauses.event = 'executionSuspended'
                AND pauses.position < resumed.position
                AND NOT EXISTS (
                    SELECT 1
                    FROM history AS earlier
                    WHERE earlier.instance_id = resumed.instance_id
                        AND earlier.event = 'executionResumed'
                        AND earlier.position BETWEEN pauses.position AND resumed.position - 1
                )
        )
    GROUP BY resumed.instance_id
)
SELECT resumes.instance_id, resumes.position, resumes.at_ns, ends.error
FROM resumes
JOIN instances ON instances.instance_id = resumes.instance_id AND instances.status = 'FAILED'
JOIN history AS ends
    ON ends.instance_id = resumes.instance_id
    AND ends.event = 'executionCompleted'
    AND ends.position > resumes.position
-- Required: the worker names the event. What an application raises itself has a name of its own.
WHERE ends.error LIKE 'WorkflowStateError: %executionResumed%'
ORDER BY resumes.instance_id
