-- claim: Each ledger is one that the target has, and its effects have what target.yaml says of them: times in the order of the ledger, and keys of one instance each.
-- severity: unknown
-- examined: SELECT count(*) FROM effects
-- catches: ledger_shuffled, ledger_unknown, key_shared, key_lost, effect_timeless, attributes_broken
-- needs: effects
-- source: docs/target-contract.md. The effects of a document of the state store may come from several replicas, which share the clock of one machine; a difference of one millisecond is allowed. A ledger may have no times or no keys; then target.yaml says so.
-- witness: {source:or}: {fault}.
WITH following AS (
    SELECT
        source,
        position,
        key IS NULL AS keyless,
        NOT coalesce(json_valid(attributes), FALSE) OR attributes NOT LIKE '{%' AS malformed,
        at_ns,
        lag(at_ns) OVER (PARTITION BY source ORDER BY position) AS before_ns
    FROM effects
), known AS (
    SELECT following.source, bool_and(sources.timed) AS timed, bool_and(sources.keyed) AS keyed
    FROM (SELECT DISTINCT source FROM effects) AS following
    JOIN sources ON sources.node = following.source OR starts_with(following.source, sources.prefix)
    GROUP BY following.source
), doubted AS (
    SELECT
        following.source,
        position,
        CASE
            WHEN known.source IS NULL THEN 'the target has no such ledger'
            WHEN known.timed AND at_ns IS NULL THEN 'the effect at ' || position || ' has no time'
            WHEN known.keyed AND keyless THEN 'the effect at ' || position || ' has no key'
            WHEN at_ns < before_ns - 1000000 THEN 'the effect at ' || position || ' is older than the one before it'
            WHEN malformed THEN 'the attributes of the effect at ' || position || ' are no JSON object'
        END AS fault
    FROM following
    LEFT JOIN known ON known.source = following.source
), shared AS (
    -- Hashes take less memory than keys. If two keys have the same hash, they are told apart below.
    SELECT hash(source, effect, key) AS print
    FROM effects
    WHERE key IS NOT NULL
    GROUP BY print
    HAVING min(hash(instance_id)) <> max(hash(instance_id))
)
SELECT source, fault
FROM doubted
WHERE fault IS NOT NULL
UNION ALL
SELECT source, 'the key ' || key || ' of ' || effect || ' is that of ' || min(instance_id) || ' and of ' || max(instance_id)
FROM effects
WHERE key IS NOT NULL AND hash(source, effect, key) IN (SELECT print FROM shared)
GROUP BY source, effect, key
HAVING min(instance_id) <> max(instance_id)
ORDER BY source, fault
