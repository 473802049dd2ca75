-- claim: Every instance ends in exactly one class: completed, compensated, rejected, refused, or one of the violations.
-- layer: not decided
-- examined: SELECT count(*) FROM classes
-- catches: status_lost, instance_duplicated
-- witness: {instance_id} fits {fits}: {classes}.
WITH doubtful AS (
    SELECT instance_id
    FROM classes
    GROUP BY instance_id
    HAVING count(*) > 1 OR min(class) = 'unclassified'
)
SELECT
    classes.instance_id,
    CASE WHEN count(*) > 1 THEN 'more than one class' ELSE 'no class' END AS fits,
    string_agg(class || ' (' || coalesce(status, 'no status') || ')', ', ' ORDER BY class, status) AS classes
FROM classes
JOIN doubtful ON doubtful.instance_id IS NOT DISTINCT FROM classes.instance_id
GROUP BY classes.instance_id
ORDER BY classes.instance_id
