-- claim: The evidence contains only effects, workflows, kinds and outcomes that the target declares.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM operations) + (SELECT count(*) FROM effects) + (SELECT count(*) FROM instances)
-- catches: effect_renamed, kind_undeclared, outcome_undeclared
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
UNION ALL
SELECT 'outcome', coalesce(workflow, '?') || ': ' || coalesce(outcome, 'none that could be found in ' || coalesce(output, 'no output')), count(*)
FROM (
    SELECT classes.workflow, classes.outcome, CASE WHEN classes.outcome IS NULL THEN left(instances.output, 200) END AS output
    FROM classes
    JOIN instances USING (instance_id)
    WHERE classes.class = 'undeclared'
) AS undeclared
GROUP BY workflow, outcome, output
ORDER BY what, name
