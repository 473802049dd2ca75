-- One row per fault of a node during which a workflow may have had two owners: a sidecar stood still or was cut off, or
-- placement was away.
--
-- until_ns is when it can have two owners no longer: 15 seconds after the fault was healed, the longest that the return
-- of a sidecar takes. It is the highest number there is if the fault was never healed.
SELECT fault, node, applied_ns, healed_ns, coalesce(healed_ns + 15000000000, 9223372036854775807) AS until_ns
FROM faults
WHERE applied_ns IS NOT NULL
    AND (
        node LIKE 'placement%'
        OR (node LIKE 'sidecar%' AND fault IN ('pause', 'isolate', 'timeout', 'down', 'bandwidth', 'starve'))
    )
