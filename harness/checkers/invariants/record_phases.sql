-- claim: The phases follow one another without a gap, each once, and everything in the evidence happened in the phase in which it can happen.
-- severity: unknown
-- examined: SELECT count(*) FROM phases
-- catches: phase_moved, phase_duplicated, phase_renamed, phases_all_moved
-- source: harness/running/run.py: up (with the canaries), load (with the faults), heal, settle, collect. Less than a second lies between two phases. A gap of 10 s is allowed. In a synthetic run each copy has its canaries, and only the first one has readings.
-- witness: {fault}.
WITH known AS (
    SELECT phase, started_ns, coalesce(ended_ns, 9223372036854775807) AS ended_ns
    FROM phases
), numbered AS (
    SELECT known.*, places.place
    FROM known
    LEFT JOIN (VALUES ('up', 1), ('load', 2), ('heal', 3), ('settle', 4), ('collect', 5)) AS places(phase, place)
        ON places.phase = known.phase
), spans AS (
    SELECT
        max(CASE WHEN phase = 'up' THEN started_ns END) AS up_ns,
        max(CASE WHEN phase = 'up' THEN ended_ns END) AS upped_ns,
        max(CASE WHEN phase = 'load' THEN started_ns END) AS load_ns,
        max(CASE WHEN phase = 'load' THEN ended_ns END) AS loaded_ns,
        max(CASE WHEN phase = 'heal' THEN ended_ns END) AS healed_ns,
        max(CASE WHEN phase = 'collect' THEN started_ns END) AS collect_ns,
        max(CASE WHEN phase = 'collect' THEN ended_ns END) AS collected_ns
    FROM known
), seen AS (
    SELECT 'a call of a canary' AS what, min(invoked_ns) AS first_ns, max(coalesce(completed_ns, invoked_ns)) AS last_ns, 'up' AS phase
    FROM operations
    WHERE client = 'canary'
    UNION ALL
    SELECT 'a call', min(invoked_ns), max(coalesce(completed_ns, invoked_ns)), 'load'
    FROM operations
    WHERE client <> 'canary'
    UNION ALL
    SELECT 'a request', min(invoked_ns), max(coalesce(completed_ns, invoked_ns)), 'load'
    FROM requests
    UNION ALL
    SELECT 'a fault', min(least(planned_ns, begun_ns)), max(greatest(begun_ns, applied_ns, felt_ns)), 'load or heal'
    FROM faults
    WHERE step >= 0
    UNION ALL
    SELECT 'the healing of a fault', min(healed_ns), max(healed_ns), 'load or heal'
    FROM faults
    UNION ALL
    SELECT 'a reading', min(asked_ns), max(coalesce(answered_ns, asked_ns)), 'collect'
    FROM readings
    UNION ALL
    SELECT 'a list of jobs', min(listed_ns), max(listed_ns), 'collect'
    FROM jobs
    UNION ALL
    SELECT 'an execution of an activity', min(started_ns), max(coalesce(ended_ns, started_ns)), 'any'
    FROM attempts
    UNION ALL
    SELECT 'an effect', min(at_ns), max(at_ns), 'any'
    FROM effects
    UNION ALL
    SELECT 'an event of the engine', min(at_ns), max(at_ns), 'any'
    FROM history
    UNION ALL
    SELECT 'a delivery', min(delivered_ns), max(greatest(delivered_ns, completed_ns, cut_ns)), 'any'
    FROM deliveries
    UNION ALL
    SELECT 'a turn', min(turned_ns), max(turned_ns), 'any'
    FROM turns
    UNION ALL
    SELECT 'a call to Dapr', min(called_ns), max(greatest(called_ns, answered_ns)), 'any'
    FROM api_calls
    UNION ALL
    SELECT 'a sample', min(at_ns), max(at_ns), 'any'
    FROM samples
), bounds AS (
    SELECT
        seen.*,
        CASE seen.phase WHEN 'load' THEN load_ns WHEN 'load or heal' THEN load_ns WHEN 'collect' THEN collect_ns ELSE up_ns END AS from_ns,
        CASE seen.phase WHEN 'up' THEN upped_ns WHEN 'load' THEN loaded_ns WHEN 'load or heal' THEN healed_ns ELSE collected_ns END AS until_ns
    FROM seen, spans
    WHERE seen.phase IN ('load', 'load or heal', 'any') OR (SELECT max(copies) FROM promised) = 1
)
SELECT 'the phase ' || coalesce(phase, 'without a name') || ' is there ' || count(*) || ' times' AS fault
FROM numbered
GROUP BY phase
HAVING count(*) > 1 OR phase IS NULL OR max(place) IS NULL
UNION ALL
SELECT 'there is no phase ' || needed.phase
FROM (VALUES ('up'), ('collect')) AS needed(phase)
WHERE needed.phase NOT IN (SELECT phase FROM known WHERE phase IS NOT NULL)
UNION ALL
SELECT 'the phase ' || phase || ' ends before it begins'
FROM numbered
WHERE ended_ns < started_ns
UNION ALL
SELECT 'the phase ' || later.phase || ' does not begin when the phase ' || earlier.phase || ' ends'
FROM numbered AS earlier
JOIN numbered AS later ON later.place = earlier.place + 1
WHERE later.started_ns < earlier.ended_ns OR later.started_ns - earlier.ended_ns > 10000000000
UNION ALL
SELECT what || ' lies before or after its phase (' || phase || ')'
FROM bounds
WHERE first_ns < from_ns OR last_ns > until_ns
ORDER BY fault
