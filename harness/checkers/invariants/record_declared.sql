-- claim: The evidence contains only effects, workflows and kinds that the target declares.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM effects)
-- catches: effect_renamed, kind_undeclared
-- witness: the {what} {name:or} is not in target.yaml, but is in the evidence {times} times.
SELECT 'effect' AS what, effect AS name, count(*) AS times
FROM effects
WHERE effect IS NULL OR effect NOT IN (SELECT effect FROM effect_names)
GROUP BY effect
UNION ALL
SELECT 'kind', operations.workflow || '.' || operations.kind, count(*)
FROM operations
ANTI JOIN kinds USING (workflow, kind)
GROUP BY ALL
ORDER BY what, name
