-- claim: Each sample is of a node of the run, its tap, the machine, the harness or its load, and each node and journal is told of once at a time.
-- severity: unknown
-- examined: SELECT (SELECT count(*) FROM samples) + (SELECT count(*) FROM journals)
-- catches: sample_of_stranger, sample_of_strange_tap, sample_duplicated, journal_unknown
-- source: harness/running/observer.py, meters.py and harness/journal.py.
-- witness: {what} {name:or} {fault}.
SELECT 'a sample of' AS what, node AS name, 'is of nothing that is measured: ' || coalesce(metric, 'nothing') AS fault
FROM samples
WHERE metric IS NULL
    OR node IS NULL
    OR metric NOT IN ('cpu_percent', 'rss_bytes', 'in_flight', 'cores', 'iowait_percent')
    OR (metric = 'in_flight') <> (node = 'engine')
    OR (metric IN ('cores', 'iowait_percent') AND node <> 'machine')
    OR (
        node NOT IN ('engine', 'machine', 'harness', 'generator', 'toxiproxy')
        AND regexp_replace(node, '\.tap$', '') NOT IN (SELECT node FROM nodes)
    )
UNION ALL
SELECT 'the node', node, 'was measured ' || count(*) || ' times at once (' || metric || ')'
FROM samples
GROUP BY at_ns, node, metric
HAVING count(*) > 1
UNION ALL
SELECT 'the journal', file, 'is none of a run, or is told of ' || count(*) || ' times'
FROM journals
GROUP BY file
HAVING count(*) > 1
    OR file IS NULL
    OR NOT regexp_matches(file, '^(operations|requests|attempts|turns|load)-.+\.jsonl$|^(faults|points|phases|load|samples)\.jsonl$|^.+-\d+\.tap$')
UNION ALL
SELECT 'the journal', needed.file, 'is missing'
FROM (VALUES ('phases.jsonl')) AS needed(file)
WHERE needed.file NOT IN (SELECT file FROM journals WHERE file IS NOT NULL)
ORDER BY what, name, fault
