-- One row per instance that appears in any evidence: client, engine and ledger joined on its id, every way in which it
-- can be wrong, and the one class under which it is counted.
--
-- Each violation is decided separately, so an instance may show several. class is the first of them in the order below.
-- If there is none, it is the end on which the engine and the ledger agree. never_started is no violation: nobody was
-- told that the instance was accepted, and nothing happened. running is no violation either: the run did not wait for
-- the instance to end. undeclared is none: target.yaml does not say what its outcome means.
--
-- Of an instance that has an effect of which no answer and no ledger says whether it happened (is_open), nothing is said
-- that this effect could refute. The invariant open_effect names it.
--
-- Where the answer to a start brings the id, an instance that nobody can name may belong to a start that got no answer:
-- unnamed has the workflows that have no more such instances than such starts.
--
-- A child workflow is an instance of its own, which another one ordered: it was asked for as its root was, the instance at
-- the head of its family. Where target.yaml says nothing of its workflow, COMPLETED counts as completed.
--
-- terminated, purged and paused are what a client may have asked for: a terminate that was not refused may end the
-- instance and its children, a purge may take their rows away, and after a pause the instance may stand, unless a resume
-- that was sent later was acknowledged. Such an end is no violation, and effects that it leaves standing are none.
WITH nameless AS (
    SELECT instances.workflow, count(*) AS found
    FROM instances
    ANTI JOIN calls ON calls.instance_id = instances.instance_id
    WHERE instances.workflow IN (SELECT workflow FROM ids_by_answer) AND instances.root_id IS NULL
    GROUP BY instances.workflow
), answerless AS (
    SELECT workflow, count(*) AS starts
    FROM calls
    WHERE told = 'unknown'
    GROUP BY workflow
), unnamed AS (
    SELECT nameless.workflow
    FROM nameless
    JOIN answerless ON answerless.workflow = nameless.workflow AND answerless.starts >= nameless.found
), open_effects AS (
    SELECT DISTINCT instance_id
    FROM unanswered
    WHERE kept IS NULL
), asked AS (
    SELECT
        instance_id,
        bool_or(operation = 'terminate' AND outcome IS DISTINCT FROM 'fail') AS may_end,
        bool_or(operation = 'purge' AND outcome IS DISTINCT FROM 'fail') AS may_vanish,
        bool_or(operation = 'pause' AND outcome = 'unknown')
            OR coalesce(
                max(CASE WHEN operation = 'pause' AND outcome = 'ok' THEN completed_ns END)
                >= coalesce(max(CASE WHEN operation = 'resume' AND outcome = 'ok' THEN invoked_ns END), 0),
                FALSE
            ) AS may_stand
    FROM requests
    GROUP BY instance_id
), known AS (
    SELECT
        instance_id,
        calls.client,
        calls.kind,
        CASE
            WHEN calls.told IS NULL AND instances.workflow IN (SELECT workflow FROM unnamed) THEN 'unknown'
            ELSE calls.told
        END AS told,
        calls.invoked_ns,
        calls.accepted_ns,
        calls.starts,
        calls.workflow AS asked_workflow,
        instances.workflow,
        instances.instance_id IS NOT NULL AS stored,
        coalesce(instances.parent_id, instances.root_id) IS NOT NULL AS is_child,
        instances.status,
        instances.outcome,
        instances.created_ns,
        instances.completed_ns,
        instances.generation,
        coalesce(ledger.forwards, 0) AS forwards,
        coalesce(ledger.compensations, 0) AS compensations,
        coalesce(ledger.repeated, 0) AS repeated,
        coalesce(ledger.kept, 0) AS kept,
        coalesce(ledger.owed, 0) AS owed,
        coalesce(ledger.overdone, 0) AS overdone,
        coalesce(ledger.done, 0) AS done,
        ledger.last_forward_ns,
        ledger.first_compensation_ns,
        inversions.instance_id IS NOT NULL AS inverted,
        open_effects.instance_id IS NOT NULL AS is_open,
        coalesce(asked.may_end, FALSE) AS may_end,
        coalesce(asked.may_vanish, FALSE) AS may_vanish,
        coalesce(asked.may_stand, FALSE) AS may_stand
    FROM calls
    FULL JOIN instances USING (instance_id)
    FULL JOIN ledger USING (instance_id)
    LEFT JOIN inversions USING (instance_id)
    LEFT JOIN open_effects USING (instance_id)
    LEFT JOIN asked USING (instance_id)
), children AS (
    SELECT children.instance_id, roots.told, roots.may_end, roots.may_vanish
    FROM instances AS children
    JOIN instances AS parents
        ON parents.instance_id = children.parent_id
        AND coalesce(parents.root_id, parents.instance_id) = children.root_id
    JOIN known AS roots ON roots.instance_id = children.root_id
    WHERE children.root_id IS NOT NULL
), told AS (
    SELECT
        known.* EXCLUDE (told, may_end, may_vanish, may_stand),
        coalesce(known.status = 'TERMINATED' AND (known.may_end OR children.may_end), FALSE) AS terminated,
        NOT known.stored AND (known.may_vanish OR coalesce(children.may_vanish, FALSE)) AS purged,
        coalesce(known.status = 'SUSPENDED' AND known.may_stand, FALSE) AS paused,
        CASE WHEN known.is_child THEN children.told ELSE known.told END AS told,
        CASE
            WHEN known.is_child AND known.status = 'COMPLETED' AND known.workflow NOT IN (SELECT workflow FROM outcomes)
                THEN 'completed'
            ELSE outcomes.ends
        END AS ends,
        outcomes.calls,
        known.status = 'COMPLETED' OR outcomes.ends IS NOT NULL AS ended,
        coalesce(known.status IN ('RUNNING', 'PENDING', 'SUSPENDED', 'STALLED', 'CONTINUED_AS_NEW'), FALSE) AS running
    FROM known
    LEFT JOIN children ON children.instance_id = known.instance_id
    LEFT JOIN outcomes
        ON outcomes.workflow = known.workflow
        AND outcomes.status = known.status
        AND (outcomes.outcome IS NULL OR outcomes.outcome = known.outcome)
), judged AS (
    SELECT
        *,
        coalesce(told, 'refused') = 'refused' AND (stored OR forwards + compensations > 0) AS phantom,
        coalesce(told = 'accepted', FALSE)
            AND (NOT (stored OR purged) OR coalesce(ended AND ends = 'completed' AND calls > 0 AND forwards = 0 AND NOT is_open, FALSE)) AS lost,
        running
            AND NOT paused
            AND (SELECT settled FROM run)
            AND coalesce(created_ns <= (SELECT settled_ns FROM run), TRUE) AS stuck,
        coalesce(status IN ('FAILED', 'TERMINATED', 'CANCELED') AND NOT ended AND NOT terminated, FALSE) AS failed,
        repeated > 0 AS duplicated,
        overdone > 0 AND NOT is_open AS over_compensated,
        stored AND NOT running AND NOT is_open AND owed > 0 AND (ended OR NOT terminated) AND (
            coalesce(ends = 'compensated', FALSE)
            OR (compensations > 0 AND coalesce(ends <> 'completed', TRUE))
        ) AS half_compensated,
        coalesce(last_forward_ns > first_compensation_ns, FALSE) OR inverted AS misordered,
        coalesce(
            CASE
                WHEN NOT stored THEN told <> 'refused' AND NOT purged AND forwards + compensations > 0
                WHEN asked_workflow <> workflow THEN TRUE
                WHEN is_open THEN FALSE
                WHEN NOT ended THEN FALSE
                WHEN ends IS NULL THEN FALSE
                WHEN ends = 'completed' THEN done <> calls OR compensations > 0
                WHEN ends = 'compensated' THEN done & calls <> calls
                ELSE done & calls <> calls OR (kept > 0 AND compensations = 0)
            END,
            FALSE
        ) AS contradiction
    FROM told
)
SELECT
    * EXCLUDE (inverted, is_open, is_child, terminated, paused),
    CASE
        WHEN phantom THEN 'phantom'
        WHEN lost THEN 'lost'
        WHEN stuck THEN 'stuck'
        WHEN failed THEN 'failed'
        WHEN duplicated THEN 'duplicated'
        WHEN over_compensated THEN 'over_compensated'
        WHEN half_compensated THEN 'half_compensated'
        WHEN misordered THEN 'misordered'
        WHEN contradiction THEN 'contradiction'
        WHEN ended THEN coalesce(ends, 'undeclared')
        WHEN terminated THEN 'terminated'
        WHEN paused THEN 'paused'
        WHEN purged THEN 'purged'
        WHEN running THEN 'running'
        WHEN stored THEN 'unclassified'
        WHEN told = 'refused' THEN 'refused'
        WHEN told = 'unknown' THEN 'never_started'
        ELSE 'unclassified'
    END AS class
FROM judged
