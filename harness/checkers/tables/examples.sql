-- The history rows of one instance per outline (see outlines). There are few such rows, because many histories differ only
-- in their times and payloads.
SELECT firsts.events, firsts.outline, history.*
FROM history
JOIN (
    SELECT events, outline, min(instance_id) AS instance_id
    FROM outlines
    GROUP BY events, outline
) AS firsts ON firsts.instance_id = history.instance_id
