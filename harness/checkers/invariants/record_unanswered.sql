-- claim: Each effect of a call without an answer is one that target.yaml declares, of an instance that somebody started, in a ledger that is made of calls, and it is told once.
-- severity: unknown
-- needs: calls
-- examined: SELECT (SELECT count(*) FROM unanswered) + (SELECT count(*) FROM effects WHERE source IN (SELECT node FROM sources WHERE called))
-- plants: UPDATE unanswered SET effect = 'nothing'; UPDATE unanswered SET source = 'elsewhere'; UPDATE unanswered SET instance_id = 'nobody'
-- catches: unanswered_twice
-- witness: {instance_id:or}: the call that makes {effect:or} in {source:or} {fault}.
SELECT
    instance_id,
    effect,
    source,
    CASE
        WHEN effect NOT IN (SELECT effect FROM effect_names) THEN 'makes what is no effect of the target'
        WHEN source NOT IN (SELECT node FROM sources WHERE called) THEN 'is of no ledger that is made of calls'
        ELSE 'is of an instance that nobody started'
    END AS fault
FROM unanswered
WHERE effect NOT IN (SELECT effect FROM effect_names)
    OR source NOT IN (SELECT node FROM sources WHERE called)
    OR (
        instance_id NOT IN (SELECT instance_id FROM instances WHERE instance_id IS NOT NULL)
        AND instance_id NOT IN (SELECT instance_id FROM operations WHERE instance_id IS NOT NULL)
    )
UNION ALL
SELECT instance_id, effect, source, 'is told ' || count(*) || ' times'
FROM unanswered
WHERE key IS NOT NULL
GROUP BY instance_id, effect, source, key
HAVING count(*) > 1
ORDER BY instance_id, effect, source, fault
