-- claim: The plan decides what clients ask of an instance after its start: they asked that and nothing else, each when it was due and the start was answered, of the replica whose turn it was, and an answer means what Dapr says it means.
-- severity: unknown
-- needs: requests
-- examined: SELECT (SELECT count(*) FROM requests) + (SELECT count(*) FROM dues)
-- plants: DELETE FROM requests WHERE request_id = (SELECT min(request_id) FROM requests);
--   UPDATE requests SET payload = '0' WHERE request_id = (SELECT min(request_id) FROM requests);
--   UPDATE requests SET node = 'app-0' WHERE request_id = (SELECT min(request_id) FROM requests);
--   UPDATE requests SET intended_ns = intended_ns - 5000000 WHERE request_id = (SELECT min(request_id) FROM requests);
--   UPDATE requests SET invoked_ns = intended_ns - 1 WHERE request_id = (SELECT min(request_id) FROM requests);
--   UPDATE requests SET status = 500 WHERE request_id = (SELECT min(request_id) FROM requests WHERE outcome = 'ok');
--   UPDATE requests SET runtime_status = 'RUNNING' WHERE request_id = (SELECT min(request_id) FROM requests WHERE operation = 'terminate' AND outcome = 'ok')
-- source: harness/load/arrivals.py (due) and requests.py. A load that was cut short, or that Locust ended early, sent the first ones only, and no request follows a start that was refused. In a synthetic run the first copy of each request is that of the plan.
-- witness: {instance_id:or}: request {number:or} ({request_id:or}) {fault}.
WITH load AS (
    SELECT
        max(ended_ns) - max(started_ns) >= (SELECT max(duration_ns) FROM promised) AND count_if(detail IS NOT NULL) = 0 AS whole
    FROM phases
    WHERE phase = 'load'
), starts AS (
    SELECT
        instance_id,
        min(CASE WHEN try = 1 THEN intended_ns END) AS intended_ns,
        max(completed_ns) AS answered_ns,
        count_if(outcome = 'fail') > 0 AS refused
    FROM operations
    WHERE client <> 'canary'
    GROUP BY instance_id
), planned AS (
    SELECT dues.*, dues.at_ns - arrivals.at_ns AS after_ns
    FROM dues
    JOIN arrivals ON arrivals.instance_id = dues.instance_id
), numbered AS (
    SELECT
        *,
        CASE WHEN starts_with(request_id, client || '/') THEN try_cast(regexp_replace(substr(request_id, length(client) + 2), '~\d+$', '') AS BIGINT) END AS own_number
    FROM requests
), compared AS (
    SELECT
        numbered.request_id,
        coalesce(numbered.instance_id, planned.instance_id) AS instance_id,
        coalesce(numbered.number, planned.number) AS number,
        CASE
            WHEN numbered.request_id IS NULL THEN
                CASE
                    WHEN starts.instance_id IS NOT NULL AND NOT starts.refused AND (SELECT whole FROM load)
                        THEN 'is in the plan, and no client sent it'
                END
            WHEN planned.instance_id IS NULL AND ((SELECT max(copies) FROM promised) = 1 OR NOT contains(numbered.instance_id, '~'))
                THEN 'is not in the plan'
            WHEN (numbered.operation, numbered.name, numbered.payload) IS DISTINCT FROM (planned.operation, planned.name, planned.payload)
                AND planned.instance_id IS NOT NULL
                THEN 'is another one in the plan: ' || concat_ws(' ', planned.operation, planned.name, planned.payload)
            WHEN starts.instance_id IS NULL THEN 'is to an instance that nobody started'
            WHEN starts.refused THEN 'is to an instance whose start was refused'
            WHEN abs(numbered.intended_ns - starts.intended_ns - planned.after_ns) > 1000000 THEN 'was not due when the plan says'
            WHEN numbered.node <> 'sidecar-' || planned.replica THEN 'was sent to ' || numbered.node || ', and it was the turn of another replica'
            WHEN numbered.invoked_ns < numbered.intended_ns THEN 'was sent before it was due'
            WHEN numbered.invoked_ns < starts.answered_ns THEN 'was sent before the start was answered'
            WHEN numbered.invoked_ns - greatest(numbered.intended_ns, starts.answered_ns) > 600000000000 THEN 'was sent more than ten minutes too late'
            WHEN numbered.completed_ns < numbered.invoked_ns THEN 'was answered before it was sent'
            WHEN numbered.completed_ns - numbered.invoked_ns > 600000000000 THEN 'was answered more than ten minutes later'
            WHEN numbered.outcome IS DISTINCT FROM CASE
                WHEN numbered.operation = 'get' AND numbered.status = 200 AND numbered.runtime_status IS NOT NULL THEN 'ok'
                WHEN numbered.operation <> 'get' AND numbered.status = 202 THEN 'ok'
                WHEN numbered.status IN (400, 404) THEN 'fail'
                ELSE 'unknown'
            END
                THEN 'was ' || coalesce(numbered.outcome, 'nothing') || ', and the status ' || coalesce(numbered.status::VARCHAR, 'that is missing') || ' means something else'
            WHEN numbered.completed_ns IS NULL AND numbered.status IS NOT NULL THEN 'has a status, and was never answered'
            WHEN (numbered.outcome = 'ok') <> (numbered.detail IS NULL) THEN 'has an error or lacks one'
            WHEN (numbered.operation = 'get' AND numbered.outcome = 'ok') <> (numbered.runtime_status IS NOT NULL)
                THEN 'has the status of an instance, and should have none'
            WHEN numbered.own_number IS NULL OR numbered.own_number < 1 OR NOT starts_with(numbered.client, 'locust-') THEN 'has no number of a client of the run'
        END AS fault
    FROM numbered
    FULL JOIN planned ON planned.instance_id = numbered.instance_id AND planned.number = numbered.number
    LEFT JOIN starts ON starts.instance_id = coalesce(numbered.instance_id, planned.instance_id)
)
SELECT request_id, instance_id, number, fault
FROM compared
WHERE fault IS NOT NULL
UNION ALL
SELECT min(request_id), min(instance_id), NULL, 'is one of ' || count(*) || ' of the client ' || coalesce(client, 'without a name') || ', whose numbers go up to ' || coalesce(max(own_number), 0)
FROM numbered
GROUP BY client
HAVING (SELECT max(copies) FROM promised) = 1
    AND NOT EXISTS (SELECT 1 FROM journals WHERE torn > 0)
    AND (count(*) IS DISTINCT FROM max(own_number) OR count(DISTINCT own_number) <> count(*))
UNION ALL
SELECT min(request_id), instance_id, number, 'is there ' || count(*) || ' times'
FROM requests
GROUP BY instance_id, number
HAVING count(*) > 1
ORDER BY 1, 2, 3, 4
