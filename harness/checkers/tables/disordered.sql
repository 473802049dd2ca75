-- The instances whose forward effects were not made in the order in which the target declares their pairs.
SELECT DISTINCT instance_id
FROM (
    SELECT
        instance_id,
        first_forward_ns < lag(first_forward_ns) OVER (PARTITION BY instance_id ORDER BY ordinal) AS early
    FROM pairs
    WHERE forwards > 0
)
WHERE early
