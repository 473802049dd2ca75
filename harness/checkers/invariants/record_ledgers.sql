-- claim: Each ledger is one that the target has, tells its effects in the order of its own clock, and has no key of two instances.
-- severity: unknown
-- examined: SELECT count(*) FROM effects
-- catches: ledger_shuffled, ledger_unknown, key_shared, attributes_broken
-- needs: effects
-- source: docs/target-contract.md. The effects of a document of the state store may come from several replicas, which share the clock of one machine; a difference of one millisecond is allowed.
-- witness: {source:or}: {fault}.
WITH following AS (
    SELECT
        instance_id,
        effect,
        key,
        source,
        position,
        attributes,
        at_ns,
        lag(at_ns) OVER (PARTITION BY source ORDER BY position) AS before_ns
    FROM effects
), doubted AS (
    SELECT
        source,
        position,
        CASE
            WHEN source NOT IN (SELECT node FROM sources WHERE node IS NOT NULL)
                AND NOT EXISTS (SELECT 1 FROM sources WHERE prefix IS NOT NULL AND starts_with(following.source, prefix))
                THEN 'the target has no such ledger'
            WHEN at_ns < before_ns - 1000000 THEN 'the effect at ' || position || ' is older than the one before it'
            WHEN NOT coalesce(json_valid(attributes), FALSE) OR attributes NOT LIKE '{%'
                THEN 'the attributes of the effect at ' || position || ' are no JSON object'
        END AS fault
    FROM following
)
SELECT source, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT source, 'the key ' || key || ' of ' || effect || ' is that of ' || min(instance_id) || ' and of ' || max(instance_id)
FROM effects
GROUP BY source, effect, key
HAVING min(instance_id) <> max(instance_id)
ORDER BY source, fault
