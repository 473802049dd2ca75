-- claim: A client is told the truth: yes only after the engine has the instance, no only if nothing happens; and no instance is created before a client asks for it.
-- layer: app
-- examined: SELECT count(*) FROM classes WHERE told IN ('accepted', 'refused')
-- catches: answered_early, answer_flipped_to_fail, instance_moved, refused_and_done
-- witness: {instance_id} was asked for at {invoked_ns:at}, and its outcome for the client was {told} (yes at {accepted_ns:at}), but {but}.
SELECT
    instance_id,
    invoked_ns,
    told,
    accepted_ns,
    created_ns,
    CASE
        WHEN told = 'refused' THEN 'it happened all the same'
        WHEN created_ns < invoked_ns THEN 'the engine had created it before'
        ELSE 'the engine created it only ' || ((created_ns - accepted_ns) / 1000000)::BIGINT || ' ms after the yes'
    END AS but
FROM classes
WHERE (told = 'refused' AND (stored OR forwards + compensations > 0))
    OR (told = 'accepted' AND created_ns > accepted_ns AND generation = 1)
    OR created_ns < invoked_ns
ORDER BY instance_id
