-- One row per instance whose forward effects are not in the order that the target declares: the first forward effect of
-- some pair came before the first forward effect of a pair with a lower ordinal.
SELECT DISTINCT earlier.instance_id
FROM pairs AS earlier
JOIN pairs AS later
    ON later.instance_id = earlier.instance_id
    AND later.ordinal < earlier.ordinal
    AND later.first_forward_ns > earlier.first_forward_ns
