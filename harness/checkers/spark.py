"""
The database of a run on Apache Spark: the same queries, translated, on the same files, with the same verdict.

This shows that the invariants do not depend on one machine. Spark runs in local cluster mode: a master, two workers and
two executors. Each executor is a process of its own with one core and one GB. The executors communicate over the
network, as they would on two machines. The translation of the queries is in `harness.checkers.translation`.

Every query first runs in DuckDB, on tables that have the same types and no rows. A query that DuckDB refuses is refused
here too, with DuckDB's error message. So no query can do here what it may not do there (read another file, call a
function that only Spark has). Needs the extra `spark` and Java 17 or newer.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from secrets import token_hex
from typing import Any

import duckdb
import pyspark
from py4j.protocol import Py4JError
from pyspark import SparkConf, SparkContext
from pyspark.errors import PySparkException
from pyspark.java_gateway import launch_gateway
from pyspark.logger import PySparkLogger
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import Row as SparkRow
from sqlglot import exp
from sqlglot.errors import SqlglotError
from typing_extensions import override

from harness.checkers.database import (
    Database,
    Opening,
    Parameters,
    Progress,
    Row,
    UnansweredError,
    connected,
    derived,
    silent,
)
from harness.checkers.translation import problem, translate
from harness.errors import ProvisionError
from harness.evidence.columns import Column, Table
from harness.evidence.tables import path, write
from harness.model import Plan

MASTER = "local-cluster[2,1,1024]"
"""Two workers with one core and 1,024 MB each, and one executor on each."""

_OLDEST_JAVA = 17
_BATCH = 10_000
_LOOPBACK = "127.0.0.1"
_FOREIGN = (
    "PYSPARK_SUBMIT_ARGS",
    "PYSPARK_GATEWAY_PORT",
    "SPARK_CONF_DIR",
    "SPARK_REMOTE",
    "SPARK_CONNECT_MODE_ENABLED",
)
"""Variables of the user's environment that may refer to another Spark."""

_LOGGING = """\
rootLogger.level = error
rootLogger.appenderRef.file.ref = file
appender.file.type = File
appender.file.name = file
appender.file.fileName = {file}
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d %p %c: %m%n%ex
"""


class SparkDatabase(Database):
    """
    The database of one run, whose queries Spark answers. `connection` has the same tables without rows. Spark spreads
    each query itself, so one is asked at a time.
    """

    at_once = 1

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, missing: Mapping[str, str], session: SparkSession
    ) -> None:
        super().__init__(connection, missing)
        self._session = session
        self._frames: list[DataFrame] = []

    @override
    def beside(self) -> Database:
        return self

    @override
    def first(self, sql: str, most: int | None, parameters: Parameters = ()) -> tuple[list[Row], int]:
        kept, count = [], 0
        with self._answering(sql):
            for count, row in enumerate(self._rows(sql, parameters), 1):
                if most is None or count <= most:
                    kept.append(row)
        return kept, count

    @override
    def batches(self, sql: str) -> Iterator[list[Row]]:
        batch = []
        with self._answering(sql):
            for row in self._rows(sql, ()):
                batch.append(row)
                if len(batch) == _BATCH:
                    yield batch
                    batch = []
            if batch:
                yield batch

    def forget(self) -> None:
        """
        Free the memory of the derived tables in the executors.
        """
        for frame in self._frames:
            frame.unpersist()

    @override
    @contextmanager
    def _answering(self, sql: str, connection: duckdb.DuckDBPyConnection | None = None) -> Iterator[None]:
        with super()._answering(sql, connection):
            try:
                yield
            except (PySparkException, Py4JError) as error:
                raise UnansweredError(f"the query failed: {_first_line(error)}") from error

    @override
    def _make(self, name: str, sql: str) -> str | None:
        reason = super()._make(name, sql)
        if reason is None:
            try:
                frame = self._session.sql(translate(sql)).persist()
                frame.createTempView(name)
                frame.count()
                self._frames.append(frame)
            except SqlglotError as error:
                reason = problem(error)
            except (PySparkException, Py4JError) as error:
                reason = _first_line(error)
        return reason

    def _rows(self, sql: str, parameters: Parameters) -> Iterator[Row]:
        """
        Return all rows of a query. Only one partition of them is in memory at a time.
        """
        try:
            translated = translate(sql)
        except SqlglotError as error:
            self._connection.extract_statements(sql)  # if the text is no SQL at all, this raises DuckDB's own error
            raise UnansweredError(f"the query cannot be translated for Spark: {problem(error)}") from error
        self._connection.execute(sql, parameters)
        arguments = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        frame = self._session.sql(translated, args=arguments or None)
        columns = frame.columns
        for row in frame.toLocalIterator():
            yield {name: _value(value) for name, value in zip(columns, row, strict=True)}


@contextmanager
def cluster() -> Iterator[Opening]:
    """
    Start a Spark cluster on this machine, and return a function that opens the database of a run on it.

    No process of the cluster outlives the context, or this process. Raises ProvisionError if the cluster cannot be
    started.
    """
    _require_java()
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True  # it would print errors that the verdict reports
    with tempfile.TemporaryDirectory(prefix="harness-spark-") as scratch:
        home = Path(scratch) / "home"
        output = Path(scratch) / "output"
        _furnish(home)
        with output.open("wb") as file:
            try:
                with _environment(home):
                    gateway = launch_gateway(popen_kwargs={"stdout": file, "stderr": file})
                    context = SparkContext(conf=_conf(Path(scratch)), gateway=gateway)
            except (PySparkException, Py4JError, OSError) as error:
                said = output.read_text(errors="replace").strip()[-2_000:]
                raise ProvisionError(f"Spark did not start: {_first_line(error)}; it said: {said}") from error
            try:
                yield partial(open_on_spark, SparkSession(context))
            finally:
                context.stop()
                _end(gateway)


@contextmanager
def open_on_spark(
    session: SparkSession, plan: Plan, evidence: Path, progress: Progress = silent
) -> Iterator[SparkDatabase]:
    """
    The database of a run, with the same tables as in `harness.checkers.database.open_database`.
    """
    session_of_run = session.newSession()
    with (
        tempfile.TemporaryDirectory(prefix="harness-check-") as scratch,
        connected(plan, evidence) as (connection, missing),
    ):
        for name, kind in _tables(connection):
            types = {column: type_ for column, type_, *_ in connection.execute(f'DESCRIBE "{name}"').fetchall()}
            table = Table(name, "", tuple(Column(column, type_, "") for column, type_ in types.items()))
            if kind == "VIEW":
                path(Path(scratch), table).symlink_to(path(evidence.resolve(), table))
                columns = ", ".join(f'"{column}" {type_}' for column, type_ in types.items())
                connection.execute(f'DROP VIEW "{name}"')
                connection.execute(f'CREATE TABLE "{name}" ({columns})')
            else:
                rows = connection.table(name).fetchall()
                write(Path(scratch), table, (dict(zip(types, row, strict=True)) for row in rows))
            session_of_run.read.schema(_schema(types)).parquet(str(path(Path(scratch), table))).createTempView(name)
        database = SparkDatabase(connection, missing, session_of_run)
        try:
            database.derive(derived(), progress)
            yield database
        finally:
            database.forget()


def _tables(connection: duckdb.DuckDBPyConnection) -> Sequence[tuple[str, str]]:
    """
    Return the tables and their kinds: evidence is a VIEW of a file, data from the plan is a BASE TABLE.
    """
    return connection.execute(
        "SELECT table_name, table_type FROM information_schema.tables ORDER BY table_name"
    ).fetchall()


def _schema(types: Mapping[str, str]) -> str:
    """
    Return a schema for Spark, from columns and their types in DuckDB.
    """
    return ", ".join(
        f"`{name}` {exp.DataType.build(type_, dialect='duckdb').sql(dialect='spark')}" for name, type_ in types.items()
    )


def _value(value: Any) -> Any:
    if isinstance(value, SparkRow):
        return {name: _value(each) for name, each in value.asDict().items()}
    return [_value(each) for each in value] if isinstance(value, list) else value


def _first_line(error: Exception) -> str:
    """
    Return an error of Spark without its stack trace and query plan.
    """
    return str(error).strip().partition("\n")[0]


def _require_java() -> None:
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    needed = f"Spark {version('pyspark')} needs Java {_OLDEST_JAVA} or newer"
    if java is None:
        raise ProvisionError(
            f"{needed}, and there is no `java` {'in JAVA_HOME' if home else 'on PATH'}; install a JDK, or set JAVA_HOME"
        )
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version_found = re.search(r'version "(\d+)', answer)
    if version_found is None or int(version_found[1]) < _OLDEST_JAVA:
        raise ProvisionError(f"{needed}, and {java} is {answer.partition(chr(10))[0]}; install one, or set JAVA_HOME")


def _furnish(home: Path) -> None:
    """
    Create a home folder for Spark. Executors write next to Spark's programs, and Spark reads its logging configuration
    there.
    """
    installed = Path(pyspark.__file__).parent
    (home / "conf").mkdir(parents=True)
    (home / "conf/log4j2.properties").write_text(_LOGGING.format(file=home / "spark.log"))
    for part in ("bin", "jars"):
        (home / part).symlink_to(installed / part)


@contextmanager
def _environment(home: Path) -> Iterator[None]:
    """
    The environment in which Spark starts: no settings of another Spark, and no listener on an address other than
    loopback.
    """
    before = os.environ.copy()
    for name in _FOREIGN:
        os.environ.pop(name, None)
    os.environ |= {"SPARK_HOME": str(home), "SPARK_LOCAL_IP": _LOOPBACK}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _conf(scratch: Path) -> SparkConf:
    settings = {
        "spark.app.name": "harness check",
        "spark.master": MASTER,
        "spark.driver.host": _LOOPBACK,
        "spark.driver.bindAddress": _LOOPBACK,
        "spark.authenticate": "true",
        "spark.authenticate.secret": token_hex(32),
        "spark.local.dir": str(scratch / "local"),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.ansi.enabled": "true",  # a value that cannot be computed is an error, not NULL
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.runSQLOnFiles": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
    }
    return SparkConf(loadDefaults=False).setAll(list(settings.items()))


def _end(gateway: Any) -> None:
    """
    End the Java process, so that the next cluster of this process gets a Java process of its own.
    """
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None  # noqa: SLF001 - there is no other way to let go of it
