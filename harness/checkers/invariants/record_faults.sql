-- claim: Each fault is recorded once on each node, with the steps of its life in their order, at the time and for as long as the plan says, and with a proof that does not contradict it.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM faults) + (SELECT count(*) FROM phases)
-- catches: fault_late, fault_out_of_order, fault_too_short, fault_duplicated, fault_unproved
-- source: harness/running/controller.py. A fault begins at its time, or within 3 s, when enough is in flight; 10 s are allowed. One that is aimed begins when an execution is held at its point. In a load that was cut short faults are healed early. What could not be applied says why, and is healed all the same.
-- witness: {fault} of {node} (step {step}): {what}.
WITH origin AS (
    SELECT min(operations.intended_ns - arrivals.at_ns) AS origin_ns
    FROM operations
    JOIN arrivals ON arrivals.instance_id = operations.instance_id
    WHERE operations.try = 1 AND operations.client <> 'canary'
), aims AS (
    SELECT step, min(at_ns) AS at_ns, max(aim) AS aim
    FROM steps
    GROUP BY step
), whole AS (
    SELECT count(*) > 0 AS uncut
    FROM phases
    WHERE phase = 'load' AND detail IS NULL AND ended_ns IS NOT NULL
), known AS (
    SELECT
        faults.*,
        aims.aim,
        aims.at_ns,
        holds.hold_ns,
        (SELECT origin_ns FROM origin) AS origin_ns,
        (SELECT uncut FROM whole) AS uncut,
        count(*) OVER (PARTITION BY faults.step, faults.node) AS times
    FROM faults
    LEFT JOIN aims ON aims.step = faults.step
    LEFT JOIN holds ON holds.step = faults.step
    WHERE faults.step >= 0
), doubted AS (
    SELECT
        *,
        CASE
            WHEN times > 1 THEN 'it is recorded ' || times || ' times'
            WHEN planned_ns IS NULL THEN 'it has no planned time'
            WHEN abs(planned_ns - origin_ns - at_ns) > 1000000 THEN 'its planned time is not that of the plan'
            WHEN begun_ns < planned_ns THEN 'it began before its time'
            WHEN aim IS NULL AND begun_ns - planned_ns > 10000000000 THEN 'it began more than 10 s after its time'
            WHEN applied_ns < begun_ns OR (begun_ns IS NULL AND applied_ns < planned_ns) THEN 'it was in force before it began'
            WHEN applied_ns IS NULL AND (felt_ns IS NOT NULL OR (healed_ns IS NOT NULL AND coalesce(proof, '') NOT LIKE '%"reason"%'))
                THEN 'it was felt or healed, and never in force'
            WHEN felt_ns < applied_ns THEN 'it was felt before it was in force'
            WHEN healed_ns < applied_ns THEN 'it was healed before it was in force'
            WHEN felt_ns > healed_ns THEN 'it was felt after it was healed'
            WHEN uncut AND healed_ns - applied_ns < hold_ns - 1000000 THEN 'it was healed before its time was over'
            WHEN felt_ns IS NOT NULL AND NOT coalesce(json_valid(proof), FALSE) THEN 'its proof is no JSON'
            WHEN felt_ns IS NOT NULL AND (proof NOT LIKE '{%' OR proof = '{}') THEN 'it was felt, and nothing proves it'
            WHEN felt_ns IS NOT NULL AND healed_ns IS NOT NULL AND json_extract_string(proof, '$.reason') IS NOT NULL
                THEN 'its proof is the reason for a failure'
            WHEN fault = 'latency'
                AND try_cast(json_extract_string(proof, '$.probe_during') AS DOUBLE)
                    < try_cast(json_extract_string(proof, '$.probe_before_ms') AS DOUBLE)
                THEN 'its proof says that the link was no slower'
        END AS what
    FROM known
)
SELECT step, fault, node, what
FROM doubted
WHERE what IS NOT NULL
ORDER BY step, node, what
