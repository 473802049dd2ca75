-- One row per instance that a client asked for: what the client was told, over all its tries.
--
-- told is accepted (at least one try was answered yes), refused (every try was answered no), or unknown (everything
-- else).
SELECT
    instance_id,
    min(client) AS client,
    min(workflow) AS workflow,
    min(kind) AS kind,
    count(*) AS tries,
    count_if(outcome IS DISTINCT FROM 'fail') AS starts,
    min(invoked_ns) AS invoked_ns,
    max(completed_ns) FILTER (WHERE outcome = 'ok') AS accepted_ns,
    CASE
        WHEN count_if(outcome = 'ok') > 0 THEN 'accepted'
        WHEN count_if(outcome = 'fail') = count(*) THEN 'refused'
        ELSE 'unknown'
    END AS told
FROM operations
GROUP BY instance_id
