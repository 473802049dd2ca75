-- One row: what the invariants may need to know about the run.
--
-- load_start_ns is time 0 of the plan. It is computed from the planned time of a fault, or else from the first arrival.
-- settled means that every fault was healed and that the run then waited for its instances to end and was not cut short.
-- It waited until settled_ns, and did not wait for instances that were started later.
SELECT
    coalesce(
        (SELECT min(faults.planned_ns - steps.at_ns) FROM faults JOIN steps USING (step)),
        (SELECT min(intended_ns) FROM operations WHERE client <> 'canary'),
        (SELECT min(started_ns) FROM phases WHERE phase = 'load'),
        0
    ) AS load_start_ns,
    (SELECT max(coalesce(healed_ns, applied_ns)) FROM faults) AS last_heal_ns,
    EXISTS (SELECT 1 FROM phases WHERE phase = 'settle' AND ended_ns IS NOT NULL AND detail IS NULL)
        AND NOT EXISTS (SELECT 1 FROM faults WHERE step >= 0 AND coalesce(begun_ns, applied_ns) IS NOT NULL AND healed_ns IS NULL)
        AS settled,
    (SELECT max(ended_ns) FROM phases WHERE phase = 'settle') AS settled_ns
