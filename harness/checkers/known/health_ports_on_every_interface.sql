-- title: Placement and scheduler listen for health checks on every interface.
-- number: 2
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- upstream: dapr/dapr#10394
-- sentence: {instance_id}: this finding is about listening sockets, of which the evidence of a run says nothing.
SELECT
    -- The evidence holds no sockets: this query returns no row, ever. `ss -ltn` while a run is up shows the two ports.
    instance_id
FROM instances
WHERE FALSE
