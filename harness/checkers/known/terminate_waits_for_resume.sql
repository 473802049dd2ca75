-- title: A paused workflow is not terminated before it is resumed.
-- number: 19
-- layer: SDK
-- seen: 1.18.2
-- explains: not_terminated, stuck
-- sentence: {instance_id} was paused at position {paused_position}, took in a terminate at {position} ({at_ns:at}), and went on at {later}.
WITH told AS (
    -- Required: it was paused when it took in the terminate, and the same turn did not end it.
    SELECT
        terminate.instance_id,
        min(terminate.position) AS position,
        min(terminate.at_ns) AS at_ns,
        max(pauses.position) AS paused_position
    FROM history AS terminate
    JOIN history AS pauses
        ON pauses.instance_id = terminate.instance_id
        AND pauses.event = 'executionSuspended'
        AND pauses.position < terminate.position
    WHERE terminate.event = 'executionTerminated'
        AND NOT EXISTS (
            SELECT 1
            FROM history AS resumes
            WHERE resumes.instance_id = terminate.instance_id
                AND resumes.event = 'executionResumed'
                AND resumes.position BETWEEN pauses.position AND terminate.position
        )
    GROUP BY terminate.instance_id
)
-- Required: whole turns lie between the terminate and the end, and none of them orders anything before the resume: the worker
-- keeps the terminate back, like every other event. Code that goes on would order something.
SELECT
    told.instance_id,
    told.position,
    told.at_ns,
    told.paused_position,
    coalesce(min(turns.position)::VARCHAR, 'no turn') AS later
FROM told
JOIN instances ON instances.instance_id = told.instance_id
JOIN histories ON histories.instance_id = told.instance_id
LEFT JOIN history AS turns
    ON turns.instance_id = told.instance_id
    AND turns.event = 'workflowStarted'
    AND turns.position > told.position
WHERE histories.whole
    AND instances.history_length = instances.history_rows
    AND NOT EXISTS (
        SELECT 1
        FROM history AS moved
        WHERE moved.instance_id = told.instance_id
            AND moved.position > told.position
            AND moved.event IN (
                'taskScheduled', 'timerCreated', 'childWorkflowInstanceCreated', 'detachedWorkflowInstanceCreated', 'eventSent',
                'executionCompleted'
            )
            AND NOT EXISTS (
                SELECT 1
                FROM history AS resumes
                WHERE resumes.instance_id = told.instance_id
                    AND resumes.event = 'executionResumed'
                    AND resumes.position BETWEEN told.position AND moved.position
            )
    )
GROUP BY ALL
ORDER BY told.instance_id
