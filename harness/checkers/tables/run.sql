-- One row: what all invariants may need to know of the run.
--
-- load_start_ns is the plan's time 0, told by any fault's planned time, else by the first arrival's. settled: the
-- run waited for its instances to end, and was not cut short; until settled_ns, for what was started later it did not.
SELECT
    coalesce(
        (SELECT min(faults.planned_ns - steps.at_ns) FROM faults JOIN steps USING (step)),
        (SELECT min(intended_ns) FROM operations WHERE client <> 'canary'),
        (SELECT min(started_ns) FROM phases WHERE phase = 'load'),
        0
    ) AS load_start_ns,
    (SELECT max(coalesce(healed_ns, applied_ns)) FROM faults) AS last_heal_ns,
    EXISTS (SELECT 1 FROM phases WHERE phase = 'settle' AND ended_ns IS NOT NULL AND detail IS NULL) AS settled,
    (SELECT max(ended_ns) FROM phases WHERE phase = 'settle') AS settled_ns
