-- claim: The clients' own records are consistent: an answer means what the target says it means, and a start is tried again only while its outcome is unknown.
-- severity: unknown
-- examined: SELECT count(*) FROM operations
-- catches: unknown_flipped_to_ok, answer_flipped_to_fail, answer_misnamed, answer_untimed, answered_before_call, asked_again
-- witness: call {op_id} of {instance_id} (try {try}) was {outcome:or} with status {status:or}: {fault}.
WITH read AS (
    SELECT
        operations.*,
        coalesce(answers.outcome, 'unknown') AS means,
        EXISTS (SELECT 1 FROM answers WHERE answers.workflow = operations.workflow) AS declared,
        operations.try < calls.tries AS again
    FROM operations
    JOIN calls USING (instance_id)
    LEFT JOIN answers ON answers.workflow = operations.workflow AND answers.status = operations.status
), doubted AS (
    SELECT
        *,
        CASE
            WHEN outcome IS NULL OR outcome NOT IN ('ok', 'fail', 'unknown') THEN 'no such outcome'
            WHEN completed_ns IS NULL AND (outcome <> 'unknown' OR status IS NOT NULL) THEN 'the answer has no time'
            WHEN completed_ns < invoked_ns THEN 'the answer came before the call'
            WHEN declared AND outcome <> means THEN 'that status means ' || means
            WHEN outcome <> 'unknown' AND again THEN 'it was tried again all the same'
        END AS fault
    FROM read
)
SELECT op_id, instance_id, try, outcome, status, fault
FROM doubted
WHERE fault IS NOT NULL
ORDER BY op_id, instance_id, try
