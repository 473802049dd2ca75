-- claim: Every column has the values that it can have: no empty ones where there must be one, no number and no time beyond its range.
-- severity: unknown
-- examined: SELECT count(*) FROM operations
-- catches: value_emptied, number_out_of_range, time_out_of_range
-- source: harness/evidence/schema.py says for each column what it can have; the table `flaws` is made from that.
-- witness: the table {place} has values that cannot be in {columns}.
SELECT place, columns
FROM flaws
WHERE columns <> ''
ORDER BY place
