-- claim: Every instance ends in exactly one class: completed, compensated, rejected, refused, or one of the violations.
-- layer: not decided
-- examined: SELECT count(*) FROM classes
-- catches: status_lost, instance_duplicated
-- witness: {instance_id} fits {fits}: {classes}.
SELECT
    instance_id,
    CASE WHEN count(*) > 1 THEN 'more than one class' ELSE 'no class' END AS fits,
    string_agg(class || ' (' || coalesce(status, 'no status') || ')', ', ' ORDER BY class, status) AS classes
FROM classes
GROUP BY instance_id
HAVING count(*) > 1 OR min(class) = 'unclassified'
ORDER BY instance_id
