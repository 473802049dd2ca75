"""
The same evidence gives the same bytes of a verdict on DuckDB and on Spark, whatever is wrong with it.

Needs the extra `spark` and Java; `make spark-test` has both.
"""

import shutil

import duckdb
import pytest
from typer.testing import CliRunner

from harness import cli
from harness.checkers.database import UnansweredError
from harness.checkers.judge import judge
from harness.errors import ProvisionError
from harness.evidence import manifest, schema, tables
from harness.planning import plan, scenario, target
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.evidence import write_evidence
from tests.builders.literal import LIES, sound

pytest.importorskip("pyspark", reason="the extra `spark` is not installed: `make spark-test`")
spark = pytest.importorskip("harness.checkers.spark")
pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(shutil.which("java") is None, reason="there is no java"),
    pytest.mark.timeout(3600),  # two cores that are shared with others take their time
]

NAMES = ("instance_id", "op_id", "attempt_id", "source", "key")

HEADER = """\
-- claim: It is the same on any engine.
-- examined: SELECT count(*) FROM history
-- witness: {instance_id} it is.
"""
OWN = {
    "rounded": """
        SELECT
            instance_id, position, (position / 2)::BIGINT AS half, position / 0 AS infinite, position // 2 AS whole,
            '2.5'::BIGINT AS text, 2.5::BIGINT AS exact, try_cast('650.7' AS INT) AS some, try_cast('x' AS INT) AS nil
        FROM history
        ORDER BY instance_id, position
    """,
    "listed": """
        SELECT
            instance_id,
            list(task_id ORDER BY position DESC) AS tasks,
            list(name ORDER BY task_id NULLS FIRST, position) AS names,
            list(task_id) FILTER (WHERE task_id > 100) AS none,
            list(event ORDER BY position)[-1] AS last_event,
            arg_max(task_id, position) AS last_task,
            arg_min(name, (task_id, position)) AS first_name,
            string_agg(DISTINCT event, ',' ORDER BY event DESC) AS events,
            quantile_disc(at_ns, 0.9) AS late_ns
        FROM history
        GROUP BY instance_id
        ORDER BY instance_id
    """,
    "parsed": """
        SELECT
            instance_id, payload->>'sku' AS sku, json_extract(payload, '$.quantity')::INTEGER AS n, 'it''s \\n' AS a
        FROM history
        WHERE event LIKE '%Started'
        QUALIFY row_number() OVER (PARTITION BY instance_id ORDER BY payload) = 1
        ORDER BY ALL
    """,
    "mostly_null": """
        SELECT name, task_id, instance_id, position
        FROM history
        ORDER BY name DESC, task_id, instance_id, position
    """,
    "no_sql": "SELEC instance_id FROM history",
    "no_column": "SELECT nobody FROM history",
    "no_function": "SELECT reflect('java.lang.System', 'getProperty', 'user.home') AS instance_id",
    "no_file": "SELECT content AS instance_id FROM read_text('/etc/hostname')",
    "no_table": """SELECT * FROM parquet."/etc/hostname" """,
}
"""Invariants of a user's, for what engines like to do each in its own way, and for what none may do."""


def planned():
    read = scenario.load(scenario.find("baseline"), ["checks.minimum={instances: 1}"])
    return plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")


def every_lie():
    """The sound run once for each lie, with that lie told, and each name followed by the lie's."""
    together = {table.name: [] for table in schema.TABLES}
    for lie, tell in LIES.items():
        rows = sound()
        tell(rows)
        for table, of in rows.items():
            renamed = ({name: f"{row[name]}/{lie}" for name in NAMES if row.get(name) is not None} for row in of)
            together[table] += [row | new for row, new in zip(of, renamed, strict=True)]
    return together | {"phases": sound()["phases"]}


def write(folder, rows):
    return write_evidence(folder, rows)


@pytest.fixture(name="opening", scope="module")
def _opening():
    with spark.cluster() as opening:
        yield opening


@pytest.fixture(name="both")
def _both(opening, tmp_path):
    """Judges on both engines; says what DuckDB said once Spark has said the same, of each violation, too."""

    def run(made, evidence, own=None):
        found = {}
        for engine, settings in (("duckdb", {}), ("spark", {"opening": opening})):
            (tmp_path / engine).mkdir()
            verdict = judge("run", made, evidence, drafts=own, keep=tmp_path / engine, **settings)
            rows = {
                file.name: [repr((each.types, each.fetchall())) for each in [duckdb.read_parquet(str(file))]]
                for file in (tmp_path / engine).iterdir()
            }
            found[engine] = (verdict, verdict.model_dump_json(indent=2), rows)
        assert found["spark"][1] == found["duckdb"][1]
        assert found["spark"][2] == found["duckdb"][2]
        return found["duckdb"][0]

    return run


def test_a_check_on_spark_writes_the_same_verdict(tmp_path):
    """As a user does it: with a cluster of its own."""
    run = RunDir(tmp_path / "run")
    run.path.mkdir()
    run.save_plan(planned())
    write(run.evidence, sound())
    manifest.write(run)
    said = {}
    for engine in ("duckdb", "spark"):
        done = CliRunner().invoke(cli.app, ["check", str(run.path), "--database", engine])
        assert done.exit_code == 0, done.output
        said[engine] = run.verdict.read_bytes()

    assert said["spark"] == said["duckdb"]


def test_every_lie_at_once(both, tmp_path):
    verdict = both(planned(), write(tmp_path / "evidence", every_lie()))

    assert verdict.result == "VIOLATED"
    assert [finding.name for finding in verdict.findings if finding.violations == 0] == []


def test_faults_and_evil_names(both, tmp_path):
    made = shop.evidence()
    shop.violated(made)

    verdict = both(shop.plan(), write(tmp_path / "evidence", made.rows))

    assert len(verdict.faults) == 4
    assert shop.EVIL in {witness.instance_id for finding in verdict.findings for witness in finding.witnesses}


def test_what_a_user_asks(both, tmp_path):
    """And evidence that is missing."""
    own = tmp_path / "own"
    own.mkdir()
    for name, sql in OWN.items():
        (own / f"{name}.sql").write_text(HEADER + sql)
    evidence = write(tmp_path / "evidence", sound())
    tables.path(evidence, schema.READINGS).unlink()
    tables.path(evidence, schema.JOBS).write_text("this is no Parquet")

    verdict = both(planned(), evidence, own)

    told = {finding.name: finding for finding in verdict.findings}
    assert {name for name in OWN if told[name].result == "UNKNOWN"} == {name for name in OWN if name.startswith("no_")}
    assert "readings.parquet is missing" in told["second_reading"].reason


def test_a_query_that_only_spark_cannot_answer_is_unknown(opening, tmp_path):
    evidence = write(tmp_path / "evidence", sound())

    with opening(planned(), evidence) as database:
        for sql, why in (
            ("SELECT position[1:2] FROM (SELECT [1, 2] AS position)", "cannot be translated for Spark: a slice"),
            ("SELECT nobody FROM history", "the query failed: Binder Error"),
            ("CREATE MACRO reflect(a) AS a", "cannot be translated for Spark: only a single query"),
            ("SELECT list_aggregate([1, 2], 'sum')", "the query failed: "),
        ):
            with pytest.raises(UnansweredError, match=why):
                database.rows(sql)


@pytest.mark.parametrize(
    ("said", "told"), [(None, "no `java` in JAVA_HOME"), ("11.0.2", "is openjdk version .11.0.2.")]
)
def test_java_that_is_missing_or_too_old_is_told(monkeypatch, tmp_path, said, told):
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    if said is not None:
        (tmp_path / "bin").mkdir()
        (tmp_path / "bin/java").write_text(f"#!/bin/sh\necho 'openjdk version \"{said}\"' >&2\n")
        (tmp_path / "bin/java").chmod(0o755)

    with pytest.raises(ProvisionError, match=told), spark.cluster():
        pass
