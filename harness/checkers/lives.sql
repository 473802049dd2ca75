-- One row per instance of a list: when it lived, as far as anybody knows of it.
--
-- begun_ns is the first moment that the evidence has of it: a client's first call, the engine's first event, an effect. A
-- call counts also if it was not answered, because a fault that it meets is a fault that the instance meets. ended_ns is
-- the last: the engine's end of it, an answer to a client, an effect. It is NULL if the instance has no end in the
-- evidence: the engine has it and did not end it, or a client was told that it is accepted and the engine does not have
-- it. A fault was in force in its life if it was applied before ended_ns and not healed before begun_ns.
--
-- Not a table of the judge (nobody needs it of all instances): the list is the parameter of each part.
WITH asked AS (
    SELECT
        instance_id,
        min(invoked_ns) AS first_ns,
        max(coalesce(completed_ns, invoked_ns)) AS last_ns,
        count_if(outcome = 'ok') > 0 AS accepted
    FROM operations
    WHERE instance_id IN (SELECT unnest(?))
    GROUP BY instance_id
), stored AS (
    SELECT instance_id, min(created_ns) AS first_ns, max(completed_ns) AS last_ns
    FROM instances
    WHERE instance_id IN (SELECT unnest(?))
    GROUP BY instance_id
), happened AS (
    SELECT instance_id, min(at_ns) AS first_ns, max(at_ns) AS last_ns
    FROM effects
    WHERE instance_id IN (SELECT unnest(?))
    GROUP BY instance_id
)
SELECT
    instance_id,
    least(asked.first_ns, stored.first_ns, happened.first_ns) AS begun_ns,
    CASE
        WHEN stored.instance_id IS NOT NULL AND stored.last_ns IS NULL THEN NULL
        WHEN stored.instance_id IS NULL AND asked.accepted THEN NULL
        ELSE greatest(asked.last_ns, stored.last_ns, happened.last_ns)
    END AS ended_ns
FROM asked
FULL JOIN stored USING (instance_id)
FULL JOIN happened USING (instance_id)
