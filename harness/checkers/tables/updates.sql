-- One row per save of a document that was read before: which version it is based on (its etag; NULL if there was no
-- document), and whether the save is guarded: refused if somebody else has saved meanwhile. Each application has documents
-- of its own.
--
-- Dapr's API does not say which execution makes a call. But an execution that was alone in its replica from its begin to
-- its end has made all calls of that time. If each that was alone and saved a document had read it before, and saved it
-- once, then the document is always used so. Left out is a document that nobody used alone, and one that is deleted, or
-- has no version after it was saved (its store has none, or it expires): then one version may be told of two documents.
--
-- While a replica executes without a break, each read of such a document belongs to one save, if there are as many of
-- both, and each was answered well: on one connection, or on all of them if an execution that was alone used several.
-- Whose read is whose cannot be told, so the first read is told with the first save; but each version that was read is
-- what one of these saves is based on.
WITH touched AS (
    SELECT
        call_id,
        position,
        node,
        regexp_replace(node, '-[0-9]+$', '') AS app,
        connection,
        operation,
        component,
        key,
        etag,
        guarded,
        called_ns,
        answered_ns,
        status
    FROM api_calls
    WHERE operation IN ('get', 'save', 'delete')
), last AS (
    -- No execution that came later can have made a call, or was in progress at one of those that did.
    SELECT max(coalesce(completed_ns, 9223372036854775807)) AS until_ns
    FROM deliveries
    WHERE delivered_ns <= (SELECT max(called_ns) FROM touched)
), executed AS (
    SELECT
        node,
        delivered_ns,
        completed_ns,
        max(completed_ns) OVER (
            PARTITION BY node
            ORDER BY delivered_ns, completed_ns
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS idle_ns,
        lead(delivered_ns) OVER (PARTITION BY node ORDER BY delivered_ns, completed_ns) AS next_ns
    FROM (
        -- An execution that did not complete has no end.
        SELECT node, delivered_ns, coalesce(completed_ns, 9223372036854775807) AS completed_ns
        FROM deliveries
        WHERE node IN (SELECT node FROM touched WHERE operation = 'save') AND delivered_ns <= (SELECT until_ns FROM last)
    ) AS bounded
), periods AS (
    -- A replica executes without a break from begin_ns. If one execution is alone from begin to end, this ends at end_ns.
    SELECT
        node,
        delivered_ns AS begin_ns,
        CASE WHEN coalesce(next_ns > completed_ns, TRUE) THEN completed_ns END AS end_ns
    FROM executed
    WHERE coalesce(delivered_ns > idle_ns, TRUE)
), timeline AS (
    SELECT node, begin_ns AS at_ns, 0 AS turn, begin_ns, NULL::VARCHAR AS call_id, NULL::INTEGER AS position
    FROM periods
    UNION ALL
    SELECT node, called_ns, 1, NULL::BIGINT, call_id, position
    FROM touched
), numbered AS (
    SELECT call_id, position, coalesce(max(begin_ns) OVER (PARTITION BY node ORDER BY at_ns, turn), 0) AS period
    FROM timeline
), placed AS (
    SELECT touched.*, numbered.period
    FROM touched
    JOIN numbered ON numbered.call_id = touched.call_id AND numbered.position = touched.position
), alone AS (
    SELECT
        placed.app,
        placed.component,
        placed.key,
        placed.operation,
        placed.connection,
        lag(placed.operation) OVER (
            PARTITION BY placed.node, placed.period, placed.component, placed.key
            ORDER BY placed.called_ns, placed.call_id, placed.position
        ) AS earlier,
        lag(placed.connection) OVER (
            PARTITION BY placed.node, placed.period, placed.component, placed.key
            ORDER BY placed.called_ns, placed.call_id, placed.position
        ) AS other_connection
    FROM placed
    JOIN periods ON periods.node = placed.node AND periods.begin_ns = placed.period
    WHERE placed.called_ns <= periods.end_ns AND placed.status = 0
), plain AS (
    SELECT app, component, key, count_if(operation = 'save' AND connection IS DISTINCT FROM other_connection) = 0 AS together
    FROM alone
    GROUP BY app, component, key
    HAVING count_if(operation = 'save') > 0 AND count_if(operation = 'save' AND earlier IS DISTINCT FROM 'get') = 0
), saved AS (
    SELECT app, component, key, min(answered_ns) AS first_ns
    FROM touched
    WHERE operation = 'save' AND status = 0
    GROUP BY app, component, key
), unversioned AS (
    SELECT DISTINCT app, component, key
    FROM touched
    WHERE operation = 'delete'
    UNION
    SELECT touched.app, touched.component, touched.key
    FROM touched
    JOIN saved ON saved.app = touched.app AND saved.component = touched.component AND saved.key = touched.key
    WHERE touched.operation = 'get' AND touched.status = 0 AND touched.etag IS NULL AND touched.called_ns > saved.first_ns
), parts AS (
    SELECT
        placed.*,
        CASE WHEN plain.together THEN placed.connection ELSE 'any' END AS place,
        row_number() OVER (
            PARTITION BY
                placed.node,
                CASE WHEN plain.together THEN placed.connection ELSE 'any' END,
                placed.period,
                placed.component,
                placed.key,
                placed.operation
            ORDER BY placed.called_ns, placed.call_id, placed.position
        ) AS number
    FROM placed
    JOIN plain ON plain.app = placed.app AND plain.component = placed.component AND plain.key = placed.key
    ANTI JOIN unversioned
        ON unversioned.app = placed.app
        AND unversioned.component = placed.component
        AND unversioned.key = placed.key
), even AS (
    SELECT node, place, period, component, key
    FROM parts
    GROUP BY node, place, period, component, key
    HAVING count_if(operation = 'get') = count_if(operation = 'save') AND count_if(status IS DISTINCT FROM 0) = 0
)
SELECT
    saves.call_id,
    saves.position,
    saves.node,
    saves.app,
    saves.component,
    saves.key,
    saves.guarded,
    saves.called_ns,
    saves.answered_ns,
    gets.called_ns AS read_ns,
    gets.etag
FROM even
JOIN parts AS saves
    ON saves.node = even.node
    AND saves.place = even.place
    AND saves.period = even.period
    AND saves.component = even.component
    AND saves.key = even.key
    AND saves.operation = 'save'
JOIN parts AS gets
    ON gets.node = saves.node
    AND gets.place = saves.place
    AND gets.period = saves.period
    AND gets.component = saves.component
    AND gets.key = saves.key
    AND gets.number = saves.number
    AND gets.operation = 'get'
WHERE saves.guarded IS NOT NULL AND gets.answered_ns <= saves.called_ns
