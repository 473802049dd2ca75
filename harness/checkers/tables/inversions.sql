-- One row an instance with forward effects in another order than the target declares: some pair's first before that of a
-- pair of a lower ordinal.
SELECT DISTINCT earlier.instance_id
FROM pairs AS earlier
JOIN pairs AS later
    ON later.instance_id = earlier.instance_id
    AND later.ordinal < earlier.ordinal
    AND later.first_forward_ns > earlier.first_forward_ns
