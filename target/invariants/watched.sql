-- claim: A shipment is watched as its input says: asked for as often as it takes until it is delivered or lost, never sooner than the promised time after the poll before, each poll a generation of its own; and its history has the last of them alone.
-- layer: app
-- workflows: watch_shipment_v1
-- examined: SELECT count(*) FROM instances WHERE status = 'COMPLETED' AND workflow = 'watch_shipment_v1'
-- plants: UPDATE instances SET outcome = 'lost' WHERE instance_id = (SELECT min(instance_id) FROM instances
--   WHERE workflow = 'watch_shipment_v1' AND outcome = 'delivered');
--   UPDATE instances SET generation = generation + 3 WHERE instance_id = (SELECT min(instance_id) FROM instances
--   WHERE workflow = 'watch_shipment_v1' AND status = 'COMPLETED');
--   UPDATE instances SET output = json_merge_patch(output, '{"polled": [1790000000000, 1790000000001]}')
--   WHERE instance_id = (SELECT min(instance_id) FROM instances WHERE workflow = 'watch_shipment_v1' AND status = 'COMPLETED');
--   DELETE FROM attempts WHERE activity = 'poll_v1' AND instance_id = (SELECT min(instance_id) FROM instances
--   WHERE workflow = 'watch_shipment_v1' AND status = 'COMPLETED')
-- source: target/monitor.py. Continue-as-new raises the generation (Dapr 1.18 orchestrator/run.go), and so does each start of an id that had ended, whose execution has as many polls again. A poll has the time at which its turn began, by the clock of its sidecar; a difference of two milliseconds is allowed, and one more because times are rounded.
-- witness: {instance_id} says {outcome:or}: {what}.
WITH ended AS (
    SELECT
        instance_id,
        outcome,
        generation,
        completed_ns,
        CAST(json_extract(output, '$.polled') AS BIGINT[]) AS polled
    FROM instances
    WHERE status = 'COMPLETED' AND workflow = 'watch_shipment_v1'
), inputs AS (
    SELECT
        history.instance_id,
        json_extract(max(CASE WHEN history.event = 'executionStarted' THEN history.payload END), '$.polls')::BIGINT AS polls,
        json_extract(max(CASE WHEN history.event = 'executionStarted' THEN history.payload END), '$.seconds')::DOUBLE AS seconds,
        json_extract(max(CASE WHEN history.event = 'executionStarted' THEN history.payload END), '$.lost')::BOOLEAN AS lost,
        coalesce(json_array_length(max(CASE WHEN history.event = 'executionStarted' THEN history.payload END), '$.polled'), 0) AS before,
        count(CASE WHEN history.event = 'taskScheduled' AND history.name = 'poll_v1' THEN 1 END) AS scheduled
    FROM history
    JOIN ended ON ended.instance_id = history.instance_id
    GROUP BY history.instance_id
), asked AS (
    SELECT
        instance_id,
        json_extract(body, '$.polls')::BIGINT AS polls,
        json_extract(body, '$.seconds')::DOUBLE AS seconds,
        json_extract(body, '$.lost')::BOOLEAN AS lost
    FROM arrivals
    WHERE workflow = 'watch_shipment_v1'
), gaps AS (
    SELECT instance_id, min(polled[number + 1] - polled[number]) AS shortest_ms
    FROM (
        SELECT instance_id, polled, unnest(range(1, len(polled))) AS number
        FROM ended
    ) AS following
    GROUP BY instance_id
), executed AS (
    SELECT
        instance_id,
        count(CASE WHEN outcome = 'ok' THEN 1 END) AS polls,
        (max(started_ns) - min(started_ns)) // 1000000 AS span_ms
    FROM attempts
    WHERE activity = 'poll_v1'
    GROUP BY instance_id
), judged AS (
    SELECT
        ended.instance_id,
        ended.outcome,
        CASE
            WHEN asked.instance_id IS NOT NULL AND (asked.polls, asked.seconds, asked.lost) IS DISTINCT FROM (inputs.polls, inputs.seconds, inputs.lost)
                THEN 'its last generation has another input than it was started with'
            WHEN len(ended.polled) = 0 AND ended.outcome = 'lost' THEN NULL
            WHEN ended.outcome IS DISTINCT FROM CASE WHEN inputs.lost THEN 'lost' ELSE 'delivered' END THEN 'its input says otherwise'
            WHEN len(ended.polled) IS DISTINCT FROM inputs.polls
                THEN 'it was asked for ' || coalesce(len(ended.polled), 0) || ' times, and its input says ' || coalesce(inputs.polls, 0)
            WHEN inputs.before IS DISTINCT FROM inputs.polls - 1 OR inputs.scheduled <> 1
                THEN 'its history does not have the last poll alone: ' || inputs.scheduled || ' polls after ' || inputs.before
            WHEN ended.generation < inputs.polls OR ended.generation > inputs.polls * coalesce(calls.starts, 1)
                THEN 'it is in generation ' || ended.generation || ' after ' || inputs.polls || ' polls'
            WHEN gaps.shortest_ms < inputs.seconds * 1000 - 3
                THEN 'two polls are ' || gaps.shortest_ms || ' ms apart, and ' || (inputs.seconds * 1000)::BIGINT || ' ms were promised'
            WHEN coalesce(executed.polls, 0) < inputs.polls
                THEN 'only ' || coalesce(executed.polls, 0) || ' polls were executed, of ' || inputs.polls
            WHEN executed.span_ms < (inputs.polls - 1) * inputs.seconds * 1000 - 3
                THEN inputs.polls || ' polls were executed within ' || executed.span_ms || ' ms'
        END AS what
    FROM ended
    LEFT JOIN inputs ON inputs.instance_id = ended.instance_id
    LEFT JOIN asked ON asked.instance_id = ended.instance_id
    LEFT JOIN gaps ON gaps.instance_id = ended.instance_id
    LEFT JOIN executed ON executed.instance_id = ended.instance_id
    LEFT JOIN calls ON calls.instance_id = ended.instance_id
)
SELECT instance_id, outcome, what
FROM judged
WHERE what IS NOT NULL
ORDER BY instance_id, what
