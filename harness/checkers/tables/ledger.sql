-- One row per instance that has effects: what the outside world has recorded of it.
--
-- kept counts the pairs whose forward effect stands, and owed those of them that have a compensation. done is a set of
-- pairs, one bit each (bit n is the pair with ordinal n). So it can be compared, as a number, with the set that an outcome
-- requires.
SELECT
    instance_id,
    sum(forwards)::BIGINT AS forwards,
    sum(compensations)::BIGINT AS compensations,
    count_if(forwards > 1 OR compensations > 1) AS repeated,
    count_if(forwards > 0 AND compensations = 0) AS kept,
    count_if(forwards > 0 AND compensations = 0 AND compensable) AS owed,
    count_if(compensations > forwards) AS overdone,
    bit_or(1::BIGINT << ordinal) FILTER (WHERE forwards > 0) AS done,
    max(last_forward_ns) AS last_forward_ns,
    min(first_compensation_ns) AS first_compensation_ns
FROM pairs
JOIN (SELECT ordinal, compensation IS NOT NULL AS compensable FROM effect_pairs) AS declared USING (ordinal)
GROUP BY instance_id
