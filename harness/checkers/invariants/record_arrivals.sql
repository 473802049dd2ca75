-- claim: The plan decides every start: the clients sent those of the plan and no others, each at its time and to the replica whose turn it was, and tried again no more often than it says.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM arrivals)
-- catches: operation_deleted, arrival_moved, arrival_unplanned, kind_changed
-- source: harness/load/arrivals.py. A load that was cut short, or that Locust ended early, sent the first ones only. Where the answer brings the id, the plan does not decide it. In a synthetic run the first copy of each start is that of the plan.
-- witness: {instance_id}: {fault}.
WITH load AS (
    SELECT
        max(started_ns) AS started_ns,
        max(ended_ns) AS ended_ns,
        count_if(detail IS NOT NULL) > 0 AS cut
    FROM phases
    WHERE phase = 'load'
), first_try AS (
    SELECT instance_id, kind, intended_ns
    FROM operations
    WHERE client <> 'canary' AND try = 1 AND workflow NOT IN (SELECT workflow FROM ids_by_answer) AND ((SELECT max(copies) FROM promised) = 1 OR NOT contains(instance_id, '~'))
), compared AS (
    SELECT
        coalesce(arrivals.instance_id, first_try.instance_id) AS instance_id,
        arrivals.instance_id IS NOT NULL AS planned,
        arrivals.kind,
        arrivals.at_ns,
        first_try.instance_id IS NOT NULL AS sent,
        first_try.kind AS sent_kind,
        first_try.intended_ns - arrivals.at_ns AS origin_ns
    FROM (SELECT * FROM arrivals WHERE (SELECT count(*) FROM ids_by_answer) = 0) AS arrivals
    FULL JOIN first_try ON first_try.instance_id = arrivals.instance_id
), origin AS (
    SELECT quantile_disc(origin_ns, 0.5) AS origin_ns, max(CASE WHEN sent THEN at_ns END) AS last_ns
    FROM compared
)
SELECT
    compared.instance_id,
    CASE
        WHEN NOT planned THEN 'the plan has no such start'
        WHEN NOT sent THEN 'the plan has this start, and no client sent it'
        WHEN kind IS DISTINCT FROM sent_kind THEN 'the plan has it as ' || kind || ', and it was sent as ' || coalesce(sent_kind, 'nothing')
        ELSE 'it was not due when the plan says'
    END AS fault
FROM compared, origin, load
WHERE NOT planned
    OR (
        NOT sent AND (
            compared.at_ns < origin.last_ns
            OR origin.last_ns IS NULL
            OR (NOT load.cut AND load.ended_ns - origin.origin_ns >= (SELECT max(duration_ns) FROM promised))
        )
    )
    OR (sent AND kind IS DISTINCT FROM sent_kind)
    OR (sent AND (compared.origin_ns IS NULL OR abs(compared.origin_ns - origin.origin_ns) > 1000000))
UNION ALL
SELECT operations.instance_id, 'try ' || operations.try || ' was sent to ' || operations.node || ', and it was the turn of another replica'
FROM operations
JOIN arrivals ON arrivals.instance_id = operations.instance_id
WHERE operations.client <> 'canary'
    AND try_cast(regexp_extract(operations.node, '-(\d+)$', 1) AS BIGINT)
        <> (arrivals.number + operations.try - 1) % (SELECT max(replicas) FROM promised)
    AND (SELECT count(*) FROM ids_by_answer) = 0
UNION ALL
SELECT instance_id, 'it was tried ' || count(*) || ' times, with numbers from ' || coalesce(min(try), 0) || ' to ' || coalesce(max(try), 0)
FROM operations
GROUP BY instance_id
HAVING min(try) IS DISTINCT FROM 1
    OR max(try) IS DISTINCT FROM count(*)
    OR max(try) > 1 + (SELECT max(retries) FROM promised)
ORDER BY 1, 2
