"""Whatever the judge asks of DuckDB can be asked of Spark, and where the two differ a rule says it in Spark's words."""

import pytest
import sqlglot
from sqlglot.errors import SqlglotError

from harness.checkers import invariant, judge, latencies, recovery, selftest, sufficiency, telling
from harness.checkers.database import derived
from harness.checkers.translation import problem, translate
from harness.planning import target
from harness.runtime import shipped

OWN = target.load(shipped.TARGET).invariants
TEXTS = {**invariant.load(invariant.GENERAL), **invariant.load(OWN)}
QUERIES = {
    **{f"table {name}": sql for name, sql in derived().items()},
    **dict(TEXTS.items()),
    **{f"{name} examined": invariant.parse(text).examined for name, text in TEXTS.items()},
    **{
        f"{module.__name__}.{name}": value
        for module in (judge, latencies, recovery, selftest, sufficiency, telling)
        for name, value in vars(module).items()
        if isinstance(value, str) and "SELECT" in value
    },
}


OF_DUCKDB_ALONE = {"record_balances", "record_outcomes", "as_computed", "told_truly", "wrong_choice"}
"""They put a JSON path together, so they are UNKNOWN on Spark."""


def test_a_query_that_puts_a_json_path_together_is_refused_and_not_mistaken():
    for name in OF_DUCKDB_ALONE:
        with pytest.raises(SqlglotError, match="a JSON path such as"):
            translate(QUERIES[name])


@pytest.mark.parametrize("name", sorted(QUERIES.keys() - OF_DUCKDB_ALONE))
def test_every_query_is_one_of_sparks(name):
    (read,) = sqlglot.parse(translate(QUERIES[name]), read="spark")

    assert isinstance(read, sqlglot.exp.Query)
    assert list(read.find_all(sqlglot.exp.Command)) == []


@pytest.mark.parametrize(
    ("duckdb", "spark"),
    [
        ("list(a)", "NULLIF(TRANSFORM(COLLECT_LIST(STRUCT(`a` AS `v`)), `e` -> `e`.`v`), ARRAY())"),
        (
            "list(a ORDER BY b DESC) FILTER (WHERE c)",
            (
                "NULLIF(TRANSFORM(ARRAY_SORT(COLLECT_LIST(STRUCT(`a` AS `v`, `b` AS `k0`)) FILTER(WHERE `c`), "
                "(`l`, `r`) -> CASE WHEN `l`.`k0` IS NOT DISTINCT FROM `r`.`k0` THEN 0 WHEN (`l`.`k0`) IS NULL THEN 1 "
                "WHEN (`r`.`k0`) IS NULL THEN -1 WHEN `l`.`k0` < `r`.`k0` THEN 1 ELSE -1 END), "
                "`e` -> `e`.`v`), ARRAY())"
            ),
        ),
        ("a[-1]", "TRY_ELEMENT_AT(`a`, CAST(NULLIF(-1, 0) AS INT))"),
        ("a[1]", "TRY_ELEMENT_AT(`a`, CAST(NULLIF(1, 0) AS INT))"),
        ("arg_max(a, b)", "MAX_BY(`a`, `b`) FILTER(WHERE NOT `a` IS NULL AND NOT `b` IS NULL)"),
        (
            "arg_min(a, (b, c)) FILTER (WHERE d)",
            (
                "MIN_BY(`a`, STRUCT(`b` IS NULL AS `k0`, `b` AS `k1`, `c` IS NULL AS `k2`, `c` AS `k3`)) "
                "FILTER(WHERE `d` AND NOT `a` IS NULL)"
            ),
        ),
        ("min(a)", "MIN(`a`)"),
        (
            "min((a, b))",
            "MIN_BY((`a`, `b`), STRUCT(`a` IS NULL AS `k0`, `a` AS `k1`, `b` IS NULL AS `k2`, `b` AS `k3`))",
        ),
        ("sum(hash(a))", "SUM(CAST(XXHASH64(`a`) AS DECIMAL(38, 0)))"),
        ("bit_xor(hash(a, b))", "BIT_XOR(XXHASH64(`a`, `b`))"),
        ("1::BIGINT << a", "SHIFTLEFT(CAST(1 AS BIGINT), CAST(`a` AS INT))"),
        ("'a' || b + c", "'a' || (`b` + `c`)"),
        ("a & b <> 0", "(`a` & `b`) <> 0"),
        ("a / 2", "(CAST(`a` AS DOUBLE) / CAST(2 AS DOUBLE))"),
        ("json_extract_string(a, '$.b')", "VARIANT_GET(PARSE_JSON(`a`), '$.b', 'string')"),
        (
            "quantile_disc(a, 0.9) FILTER (WHERE b)",
            (
                "TRY_ELEMENT_AT(ARRAY_SORT(COLLECT_LIST(`a`) FILTER(WHERE `b`)), "
                "CAST(GREATEST(1, CEIL(SIZE(COLLECT_LIST(`a`) FILTER(WHERE `b`)) * 0.9)) AS INT))"
            ),
        ),
        (
            "percentile_disc(0.9) WITHIN GROUP (ORDER BY a)",
            (
                "TRY_ELEMENT_AT(ARRAY_SORT(COLLECT_LIST(`a`)), "
                "CAST(GREATEST(1, CEIL(SIZE(COLLECT_LIST(`a`)) * 0.9)) AS INT))"
            ),
        ),
        ("try_cast(a AS VARCHAR)", "TRY_CAST(`a` AS STRING)"),
        ("?, $a", "?, :a"),
        ("'it''s \\n'", "'it\\'s \\\\n'"),
    ],
)
def test_where_they_differ(duckdb, spark):
    assert translate(f"SELECT {duckdb}") == f"SELECT {spark}"


def test_a_fraction_is_rounded_before_it_is_an_integer():
    assert translate("SELECT a::BIGINT") == (
        "SELECT CASE WHEN TYPEOF(`a`) IN ('double', 'float') THEN CAST(RINT(CAST(`a` AS DOUBLE)) AS BIGINT) "
        "WHEN TYPEOF(`a`) = 'string' OR TYPEOF(`a`) LIKE 'decimal%' "
        "THEN CAST(ROUND(CAST(`a` AS DECIMAL(38, 9))) AS BIGINT) ELSE CAST(`a` AS BIGINT) END"
    )


def test_a_quotient_of_zero_is_infinite():
    assert translate("SELECT a / b") == (
        "SELECT CASE WHEN CAST(`b` AS DOUBLE) = 0 THEN CAST(`a` AS DOUBLE) * CAST('Infinity' AS DOUBLE) "
        "ELSE CAST(`a` AS DOUBLE) / CAST(`b` AS DOUBLE) END"
    )


def test_rows_are_in_duckdbs_order():
    assert translate("SELECT a FROM b ORDER BY a, c DESC") == "SELECT `a` FROM `b` ORDER BY `a` NULLS LAST, `c` DESC"


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1; SELECT 2", "only a single query can be asked"),
        ("DROP TABLE history", "only a single query can be asked"),
        ("CREATE MACRO reflect(a) AS a", "only a single query can be asked"),
        ("SET threads = 1", "only a single query can be asked"),
        ("SELECT quantile_disc(a, [0.5, 0.9])", "several quantiles at once, or of a falling order, have no"),
        ("SELECT a[1:2]", "a slice of a list has no counterpart in Spark"),
        ("SELECT arg_max(a, b, 3)", "arg_max and arg_min of more than one row have no counterpart in Spark"),
        ("SELEC 1", "Invalid expression / Unexpected token"),
        ("SELECT json_extract_string(a, '$.\"' || b || '\"')", "a JSON path such as"),
        ("SELECT json_extract(a, '$.\"b c\"')", "a JSON path such as"),
        ("SELECT json_extract(a, b)", "a JSON path such as"),
    ],
)
def test_what_cannot_be_translated_is_told(sql, why):
    with pytest.raises(SqlglotError) as error:
        translate(sql)

    assert problem(error.value).startswith(why)
