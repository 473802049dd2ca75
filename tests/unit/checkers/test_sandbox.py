"""An invariant asks the evidence and does nothing else, whoever wrote it."""

import os
import signal
import threading

import duckdb
import pytest

from harness.checkers import invariant, judge, known, sandbox, telling
from harness.checkers.database import UnansweredError, open_database
from harness.model import Result, Step
from tests.builders import literal
from tests.builders.evidence import write_evidence

HEADER = "-- claim: c\n-- examined: SELECT 1\n-- witness: {x}\n"


def evidence(folder, **changed):
    """A sound run's evidence, with other rows in some of its tables."""
    rows = {**literal.sound(), **changed}
    return write_evidence(folder, rows)


@pytest.fixture(name="database", scope="module")
def _database(planned, tmp_path_factory):
    with open_database(planned, evidence(tmp_path_factory.mktemp("evidence"))) as database:
        yield database


@pytest.fixture(name="judge_with")
def _judge_with(planned, tmp_path):
    """`judge_with(text, plan=...)` -> the verdict with one more invariant, `mine`, that came with the run."""
    folder = tmp_path / "invariants"
    folder.mkdir()

    def judge_with(text, plan=planned):
        (folder / "mine.sql").write_text(text)
        return judge.judge("run", plan, evidence(tmp_path / "evidence"), of_target=folder)

    return judge_with


@pytest.mark.parametrize(
    ("sql", "why"),
    [
        ("SELECT 1 AS x; SELECT 2 AS x", "2 statements"),
        ("", "0 statements"),
        ("CREATE TEMP VIEW faults AS SELECT * FROM faults; SELECT 1 AS x", "2 statements"),
        ("CREATE TEMP VIEW mine AS SELECT 1", "this is CREATE"),
        ("DELETE FROM classes", "this is DELETE"),
        ("UPDATE classes SET class = 'completed'", "this is UPDATE"),
        ("DROP TABLE classes", "this is DROP"),
        ("COPY (SELECT 1) TO 'evidence/x.csv'", "this is COPY"),
        ("EXPORT DATABASE 'evidence'", "this is EXPORT"),
        ("ATTACH 'evidence/x.db' AS x", "this is ATTACH"),
        ("INSTALL httpfs", "this is LOAD"),
        ("SET threads = 64", "this is SET"),
        ("PRAGMA database_list", "this is "),
        ("CALL pragma_version()", "this is CALL"),
        ("EXPLAIN ANALYZE SELECT 1", "this is EXPLAIN"),
        ("SELECT * FROM 'evidence/faults.parquet'", "is no table of the evidence"),
        ("SELECT * FROM '/etc/passwd'", "is no table of the evidence"),
        ("SELECT * FROM information_schema.tables", "is no table of the evidence"),
        ("SELECT * FROM main.faults", "is no table of the evidence"),
        ("SELECT * FROM sandbox", "is no table of the evidence"),
        ("SELECT * FROM read_text('/etc/passwd')", r"may not read from read_text\(\)"),
        ("SELECT * FROM faults JOIN glob('*') AS g ON TRUE", r"may not read from glob\(\)"),
        ("SELECT (SELECT count(*) FROM read_parquet('evidence/*')) AS x", r"may not read from read_parquet\(\)"),
        ("SELECT * FROM query('DELETE FROM classes')", r"may not read from query\(\)"),
        ("SELECT * FROM json_execute_serialized_sql('{}')", r"may not read from json_execute_serialized_sql\(\)"),
        ("SELECT * FROM duckdb_settings()", r"may not read from duckdb_settings\(\)"),
        ("DESCRIBE faults", "may not read from SHOW_REF"),
        ("SUMMARIZE faults", "may not read from SHOW_REF"),
        ("SELECT * FROM (SHOW TABLES)", "may not read from SHOW_REF"),
        ("SELECT uuid() AS x", r"may not call uuid\(\)"),
        ("SELECT random() AS x", r"may not call random\(\)"),
        ("SELECT now() AS x", r"may not call now\(\)"),
        ("SELECT current_setting('temp_directory') AS x", r"may not call current_setting\(\)"),
        ("SELECT getvariable('x') AS x FROM faults ORDER BY getvariable('x')", r"may not call getvariable\(\)"),
        ("SELECT system.main.random() AS x", r"may not call random\(\)"),
        ("SELECT count(*) FILTER (WHERE nextval('s') > 0) AS x FROM faults", r"may not call nextval\(\)"),
        ("SELECT list_transform([1], i -> i + sleep_ms(9)) AS x", r"may not call sleep_ms\(\)"),
        ('WITH "evidence/faults.parquet" AS (SELECT 1) SELECT * FROM "evidence/faults.parquet"', "no name for a part"),
        ("SELECT * FROM (WITH Duckdb_Views AS (SELECT 1) SELECT 1), Duckdb_Views", "no name for a part"),
        ("WITH t AS (DELETE FROM classes RETURNING *) SELECT * FROM t", "DELETE_QUERY_NODE"),
        ("WITH t AS (TRUNCATE classes) SELECT 1 AS x", "DELETE_QUERY_NODE"),
        ("WITH t AS (INSERT INTO classes SELECT * FROM classes) SELECT 1 AS x", "INSERT_QUERY_NODE"),
        ("SELECT (WITH t AS (UPDATE classes SET kind = NULL) SELECT 1) AS x", "UPDATE_QUERY_NODE"),
        ("WITH t AS (COPY (SELECT 1) TO 'evidence/faults.parquet') SELECT 1 AS x", "COPY_QUERY_NODE"),
        ("SELECT current_timestamp AS x", "may not ask for current_timestamp"),
        ("SELECT 1 AS x FROM faults WHERE LOCALTIME > TIME '12:00'", "may not ask for LOCALTIME"),
        ("SELECT current_localtime() AS x", r"may not call current_localtime\(\)"),
        ("SELECT age(TIMESTAMP '2020-01-01') AS x", r"may not call age\(\)"),
        ("SELECT json_serialize_plan('SELECT now()', optimize := true) AS x", r"may not call json_serialize_plan\(\)"),
        ("SELECT count(*) AS x FROM operations USING SAMPLE 10%", "may not take a sample"),
        ("SELECT count(*) AS x FROM operations TABLESAMPLE 10%", "may not take a sample"),
        ("SELECT FROM WHERE", "syntax error"),
    ],
)
def test_what_is_more_than_a_query_is_refused(database, sql, why):
    with pytest.raises(UnansweredError, match=f"cannot be asked: .*{why}"):
        database.refuse(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM faults",
        "WITH mine AS (SELECT 1 AS x) SELECT * FROM mine UNION ALL SELECT count(*) FROM faults",
        "SELECT * FROM (VALUES (1), (2)) AS t(x), unnest([1, 2]) AS u, range(3) AS r",
        "SELECT row_number() OVER (PARTITION BY node ORDER BY step) AS x FROM faults",
        "SELECT f.proof->>'$.pid' AS x FROM faults AS f LEFT JOIN LATERAL (SELECT f.step) AS l ON TRUE",
        "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t WHERE i < 9) SELECT * FROM t",
    ],
)
def test_what_asks_the_evidence_is_allowed(database, sql):
    database.refuse(sql)
    assert database.rows(sql) is not None


def test_all_that_comes_with_the_harness_is_allowed(database, planned):
    texts = [*invariant.load(invariant.GENERAL).values(), *invariant.load(planned.target.invariants).values()]
    queries = [sql for text in texts for each in [invariant.parse(text)] for sql in (each.query, each.examined)]
    queries += [finding.query for finding in known.load().values()]

    assert len(queries) > 80
    for sql in queries:
        database.refuse(sql)


@pytest.mark.parametrize("depth", [400, 5_000])
def test_a_query_that_is_nested_deep_is_refused_and_does_no_harm(database, depth):
    with pytest.raises(UnansweredError, match="cannot be asked"):
        database.refuse(f"SELECT {'abs(' * depth}1{')' * depth} AS x")


@pytest.mark.parametrize(
    "sentence",
    [
        "{x.__init__.__globals__[os].environ}",
        "{x.__class__}",
        "{x[0]}",
        "{x!r}",
        "{x:>1000000000}",
        "{x:{y}}",
        "{}",
        "{0}",
        "{x:at}{",
        "{ x}",
    ],
)
def test_a_sentence_reaches_the_plain_values_of_its_row_and_nothing_else(sentence):
    with pytest.raises(ValueError, match=r"."):
        telling.refuse(sentence)
    with pytest.raises(ValueError, match=r"."):
        telling.Telling(0).vformat(sentence, (), {"x": 1, "y": "at"})
    with pytest.raises(ValueError, match=r"."):
        invariant.parse(HEADER.replace("{x}", sentence) + "SELECT 1 AS x")


def test_no_secret_of_the_judge_comes_into_a_verdict(judge_with, monkeypatch):
    monkeypatch.setitem(os.environ, "CI_TOKEN", "a-made-up-token")
    text = HEADER.replace("{x}", "{x.__init__.__globals__[os].environ}") + "SELECT 'a' AS x, 'a' AS instance_id"

    verdict = judge_with(text)

    (finding,) = [found for found in verdict.findings if found.name == "mine"]
    assert finding.result is Result.UNKNOWN
    assert "is not the name of a column" in finding.reason
    assert "a-made-up-token" not in verdict.model_dump_json()


@pytest.mark.parametrize(
    "lie",
    [
        "CREATE TEMP VIEW faults AS SELECT * REPLACE (applied_ns AS felt_ns) FROM main.faults; SELECT 1 AS x LIMIT 0",
        "WITH t AS (DELETE FROM steps RETURNING *) SELECT 1 AS x FROM t LIMIT 0",
    ],
)
def test_no_invariant_changes_what_the_others_see(judge_with, planned, lie):
    """A view in place of a table once turned a fault that nobody felt into HOLDS; so did a table without its rows."""
    step = Step(step=0, fault="kill", nodes=("sidecar-0",), at=1, hold=1, settings={})
    unfelt = planned.model_copy(update={"steps": (step,)})

    verdict = judge_with(HEADER + lie, unfelt)

    assert verdict.result is Result.UNKNOWN
    assert "kill of sidecar-0 (step 0) was never applied" in verdict.lacking


def test_a_query_without_an_end_is_stopped(planned, tmp_path):
    with open_database(planned, evidence(tmp_path), longest=0.2) as database:
        endless = "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t"
        with pytest.raises(UnansweredError, match=r"took longer than 0.2 s"):
            database.rows(endless)
        with pytest.raises(UnansweredError, match=r"took longer than 0.2 s"):
            list(database.batches(endless))
        assert database.scalar("SELECT count(*) FROM faults") >= 0, "the next one is asked"


@pytest.fixture(name="_handler")
def _handler():
    """Python's own, also where a shell's background job ignores SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def wakeup():
    found = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(found)
    return found


@pytest.mark.usefixtures("_handler")
def test_a_ctrl_c_ends_a_query_without_an_end_at_once(planned, tmp_path):
    endless = "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) AS i FROM t"
    before = wakeup()
    with open_database(planned, evidence(tmp_path)) as database:
        for ask in (database.rows, lambda sql: database.derive({"endless": sql})):
            pressed = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT))
            pressed.start()
            with pytest.raises(KeyboardInterrupt):
                ask(endless)
            pressed.join()
        assert database.scalar("SELECT count(*) FROM faults") >= 0, "the next one is asked"
    assert wakeup() == before


def test_no_view_of_duckdb_has_a_name_that_a_query_may_give_to_a_part():
    views = "SELECT view_name FROM duckdb_views() WHERE internal AND schema_name <> 'information_schema'"

    assert all(sandbox._CATALOG.fullmatch(name) for (name,) in duckdb.execute(views).fetchall())


def test_stable_is_what_duckdb_says():
    """A DuckDB that says less of its functions would let more through."""
    unstable = {"random", "uuid", "now", "nextval", "current_setting", "getvariable"}

    found = sandbox.stable_functions()

    assert not unstable & found
    assert {"sum", "row_number", "regexp_extract", "list_contains", "+"} <= found
