"""
Broken inputs: scenarios, targets, `--set`, and every file of a run directory, each broken as its number says.

`python -m tests.builders.fuzz 10000` tries as many, fifty in a process, and prints with which exit code they
ended. An input is bad if it ends in any other way than documented, after more than 10 s of CPU time, or with more than
1 GB. `python -m tests.builders.fuzz --only NUMBER` shows what one of them printed.
"""

import contextlib
import copy
import importlib
import io
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import duckdb
from ruamel.yaml import YAML

from harness import cli, pipeline
from harness.errors import Exit
from harness.evidence import manifest, schema, tables
from harness.rundir import RunDir
from harness.runtime import shipped
from tests.builders import literal
from tests.builders.evidence import write_evidence
from tests.builders.hostile import HOSTILE
from tests.builders.record_lies import fault

DOCUMENTED = {int(code) for code in Exit}
LONGEST_S, MOST_MB = 10, 1_000
HANG_S = 60
CHUNK = 50
KINDS = {"scenario": 27, "target": 22, "set": 27, "plan": 12, "json": 8, "parquet": 4}
"""How often each kind of input is tried, of a hundred."""

VALUES = (None, True, 0, -1, 1, 2**31, 2**63, 2**70, 0.5, 1e300, float("nan"), float("inf"), "", [], {}, [[]], {"": ""})
RAW = (
    "[" * 100_000 + "]" * 100_000,
    '{"a":' * 50_000 + "1" + "}" * 50_000,
    "9" * 5_000,
    "-" + "9" * 400,
    "1e999",
    "NaN",
    '"\\ud800"',
    '"\\u0000"',
    "&a [*a, *a]",
    "{<<: *a}",
    "&a {<<: *a}",
    "!!python/object/apply:os.system [ls]",
    "!!binary aGk=",
    "2026-11-29 01:02:03",
    "0x1F",
    "1_000",
    "'unclosed",
    "[unclosed",
    "{unclosed: ",
    ": : :",
    "- \t- x",
    "% x",
    "@x",
    "`x`",
    "| x",
    "*nobody",
    "? x",
    "\ud800",
)
"""What replaces a value as text, so that a file may be no YAML or JSON any more."""
CODECS = ("latin-1", "utf-16", "utf-32", "utf-8-sig", "cp1140")
OF_JSON = {
    "verdict.json": ("gate", "report"),
    "selftest.json": ("report",),
    "stalled.json": ("report",),
    "endpoints.json": ("report",),
    "SHA256SUMS": ("check",),
    "last.json": ("gate",),
}


@dataclass(frozen=True)
class Ended:
    """
    How a command ended: its exit code (less than 0: by that signal), what it printed, CPU seconds, MB at the peak.
    """

    code: int
    printed: str
    seconds: float
    megabytes: float

    @property
    def problem(self):
        """Return what is wrong with it; None if it ended as documented."""
        if self.code not in DOCUMENTED:
            return f"exit code {self.code}"
        if "a defect of the harness" in self.printed or "Traceback" in self.printed:
            return self.printed.strip().rpartition("\n")[2][-300:]
        if self.seconds > LONGEST_S:
            return f"{self.seconds:.1f} s"
        return f"{self.megabytes:.0f} MB" if self.megabytes > MOST_MB else None


def make_run(path):
    """Make a run with a fault and a sample, so that every table has rows."""
    run = RunDir(path)
    run.path.mkdir(parents=True)
    run.save_plan(literal.planned())
    rows = literal.sound()
    fault(rows)
    rows["samples"].append({"at_ns": literal.T0, "node": "app-0", "metric": "cpu_percent", "value": 1.0})
    rows["jobs"].append(literal.job("a"))
    write_evidence(run.evidence, rows)
    return run


def make_base(folder):
    """Make what is broken afterwards: a judged run in which every table has rows, and a copy of the target."""
    run = make_run(folder / "runs" / "run")
    run.keep_invariants({})
    manifest.write(run)
    pipeline.judge_again(run, run.load_plan())
    (run.path / "selftest.json").write_text('{"defects": []}')
    (run.path / "stalled.json").write_text('{"about": "x", "nodes": []}')
    ended(["plan", "storm"])
    run.save_endpoints('{"backend": "processes"}')
    (folder / "runs" / "last.json").write_text('{"asked": 1, "runs": ["run"], "failed": []}')
    shutil.copytree(shipped.TARGET.parent, folder / "target", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def command(base, folder, number):
    """Write the broken input of this number into `folder`, made of `base`; return the arguments for `harness`."""
    chance = random.Random(number)
    (kind,) = chance.choices(list(KINDS), KINDS.values())
    return {
        "scenario": _scenario,
        "target": _target,
        "set": _set,
        "plan": _plan,
        "json": _json,
        "parquet": _parquet,
    }[kind](chance, base, folder)


def ended(arguments):
    """Run a command in this process."""
    printed, began = io.StringIO(), time.process_time()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        before, sys.argv = sys.argv, ["harness", *arguments]
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = before
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Ended(code, printed.getvalue(), time.process_time() - began, megabytes)


def _yaml(text):
    return YAML(typ="safe").load(text)


def _as_yaml(document):
    text = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.dump(document, text)
    return text.getvalue()


def _scenario(chance, base, folder):
    file = folder / "scenario.yaml"
    source = chance.choice(sorted(shipped.SCENARIOS.glob("*.yaml")))
    _write(chance, file, _yaml(source.read_text()), _as_yaml)
    return ["plan", str(file)]


def _target(chance, base, folder):
    shutil.copytree(base / "target", folder / "target")
    file = folder / "target" / "target.yaml"
    _write(chance, file, _yaml(file.read_text()), _as_yaml)
    return ["plan", "baseline", "--target", str(file)]


def _set(chance, base, folder):
    scenario = _yaml((shipped.SCENARIOS / "storm.yaml").read_text())
    places = list(_places(scenario))
    where = [".".join(map(str, place)) for place in places]
    settings = []
    for _ in range(chance.choice((1, 1, 2))):
        path = chance.choice([*where * 4, *HOSTILE, "a." * 5_000 + "a", "load", "gate.start_p99", ".", "a..b", "x"])
        known = json.dumps(_at(scenario, chance.choice(places)))
        value = chance.choice((chance.choice((*RAW, *HOSTILE, *map(str, VALUES), "12s", "[", "{a: [1, 2]}")), known))
        settings += ["--set", chance.choice((f"{path}={value}", path, value))]
    return ["plan", "storm", *(setting.replace("\x00", "") for setting in settings)]


def _plan(chance, base, folder):
    run = _copied(base, folder)
    _write(chance, run.plan, json.loads(run.plan.read_text()), json.dumps)
    return [chance.choice(("check", "gate", "report")), str(run.path), *_modified(chance)]


def _json(chance, base, folder):
    run = _copied(base, folder)
    name, commands = chance.choice(list(OF_JSON.items()))
    file = (run.path.parent if name == "last.json" else run.path) / name
    text = file.read_text()
    _write(chance, file, text.split("\n") if name == "SHA256SUMS" else json.loads(text), json.dumps)
    of = ["--out", str(run.path.parent)] if name == "last.json" else [str(run.path)]
    return [chance.choice(commands), *of]


def _parquet(chance, base, folder):
    run = _copied(base, folder)
    table = chance.choice(schema.TABLES)
    file = tables.path(run.evidence, table)
    match chance.choice(("value", "value", "value", "cell", "bytes", "other", "column", "gone")):
        case "bytes":
            file.write_bytes(_bytes_broken(chance, file.read_bytes()))
        case "other":
            file.write_bytes(tables.path(run.evidence, chance.choice(schema.TABLES)).read_bytes())
        case "gone":
            file.unlink()
        case "column":
            names = [f'"{name}"' for name in table.types]
            names[chance.randrange(len(names))] = chance.choice(('1 AS "x"', '[1] AS "instance_id"', "NULL AS step"))
            _rewritten(file, f"SELECT {', '.join(names)} FROM rows", [])
        case how:
            column = chance.choice(table.columns)
            texts = [text for text in HOSTILE if "\ud800" not in text] + [RAW[0], RAW[1], RAW[6]]
            values = {"VARCHAR": texts, "BOOLEAN": [True, False], "DOUBLE": [0.0, -1.0, 1e300, float("nan")]}
            limit = 2**31 if column.type == "INTEGER" else 2**63
            value = chance.choice([None, *values.get(column.type, [0, -1, 1, limit - 1, -limit, limit // 2])])
            new = f"?::{column.type}"
            if how == "cell":
                new = f'CASE WHEN random() < 0.3 THEN {new} ELSE "{column.name}" END'
            _rewritten(file, f'SELECT * REPLACE ({new} AS "{column.name}") FROM rows', [value])
    return ["check", str(run.path), "--modified"]


def _rewritten(file, sql, values):
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE rows AS SELECT * FROM read_parquet(?)", [str(file)])
        connection.execute(f"CREATE TABLE made AS {sql}", values)
        connection.table("made").write_parquet(str(file))


def _copied(base, folder):
    return RunDir(Path(shutil.copytree(base / "runs", folder / "runs")) / "run")


def _modified(chance):
    return ["--modified"] if chance.random() < 0.5 else []


def _places(document):
    """Every place in a document, as the keys that lead there."""
    pairs = (
        document.items() if isinstance(document, dict) else enumerate(document if isinstance(document, list) else ())
    )
    for key, value in pairs:
        yield (key,)
        for place in _places(value):
            yield (key, *place)


def _at(document, place):
    """What is at a place in a document."""
    for key in place:
        document = document[key]
    return copy.deepcopy(document)


def _write(chance, file, document, dump):
    """Write the document, broken once or twice."""
    raw = {}
    for _ in range(chance.choice((1, 1, 2))):
        if places := list(_places(document)):
            _break(chance, document, places, raw)
    text = dump(document)
    for mark, new in raw.items():
        text = text.replace(json.dumps(mark) if dump is json.dumps else f"'{mark}'", new)
    data = text.encode("utf-8", "surrogatepass")
    how = chance.random()
    if how < 0.1:
        data = _bytes_broken(chance, data)
    elif how < 0.2:
        data = text.encode(chance.choice(CODECS), "replace")
    file.write_bytes(data)


def _break(chance, document, places, raw):
    """Break one of the places in a document. What stands for raw text is a mark, which is added to `raw`."""
    *path, last = chance.choice(places)
    inside = document
    for key in path:
        inside = inside[key]
    match chance.choice(("value", "value", "raw", "gone", "more", "key")):
        case "value":
            inside[last] = chance.choice((chance.choice((*VALUES, *HOSTILE)), _at(document, chance.choice(places))))
        case "raw":
            mark = f"@{len(raw)}@"
            raw[mark], inside[last] = chance.choice(RAW), mark
        case "gone":
            del inside[last]
        case "more" if isinstance(inside, list):
            inside += inside * chance.choice((1, 100))
        case _ if isinstance(inside, dict):
            inside[chance.choice(HOSTILE)] = inside[last]


def _bytes_broken(chance, data):
    at = chance.randrange(len(data) + 1)
    noise = chance.choice((b"\x00", b"\xff\xfe", b"\xe9", b"\x1b[2J", b"\n", b"\t", bytes(chance.randbytes(8))))
    return chance.choice((data[:at], data[:at] + noise + data[at:], data[:at] + noise + data[at + len(noise) :], b""))


def _apart(base, numbers):
    """Try the inputs of these numbers in a process of their own; return number -> how it ended."""
    with tempfile.TemporaryDirectory() as name:
        told = Path(name) / "told"
        child = os.fork()
        if child == 0:
            try:
                for number in numbers:
                    signal.setitimer(signal.ITIMER_PROF, HANG_S)
                    found = tried(base, number)
                    line = json.dumps([found.code, found.printed[-2_000:], found.seconds, found.megabytes])
                    with told.open("a") as file:
                        file.write(f"{line}\n")
            finally:  # whatever it was: what this process has made for the others stays
                os._exit(len(told.read_text().splitlines()) < len(numbers) if told.exists() else 1)
        status = os.waitpid(child, 0)[1]
        lines = told.read_text().splitlines() if told.exists() else []
    found = dict(zip(numbers, (Ended(*json.loads(line)) for line in lines), strict=False))
    if status:  # the next one was its end
        found[numbers[len(lines)]] = Ended(os.waitstatus_to_exitcode(status), "", HANG_S, 0)
    return found


def tried(base, number):
    """Try the input of this number in this process."""
    with tempfile.TemporaryDirectory() as folder:
        return ended(command(base, Path(folder), number))


def _made_apart(base):
    """Make the base in a child, so that this process stays without threads; import what that needed, once for all."""
    child = os.fork()
    if child == 0:
        make_base(base)
        (base / "modules").write_text(json.dumps(list(sys.modules)))
        os._exit(0)
    if os.waitpid(child, 0)[1]:
        raise SystemExit("what is broken afterwards could not be made")
    for module in json.loads((base / "modules").read_text()):
        if module.partition(".")[0] in {"harness", "harness_reports", "bokeh", "numpy", "jinja2", "locust"}:
            importlib.import_module(module)


def say(what):
    sys.stdout.write(f"{what}\n")
    sys.stdout.flush()


def main():
    """Try as many inputs as asked for."""
    with tempfile.TemporaryDirectory() as name:
        base = Path(name)
        _made_apart(base)
        if sys.argv[1] == "--only":
            say(tried(base, int(sys.argv[2])))
            return
        first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
        left, found = list(range(first, first + int(sys.argv[1]))), {}
        with contextlib.suppress(KeyboardInterrupt):  # what was tried until then is told
            while left:
                of_chunk = _apart(base, left[:CHUNK])
                left = left[len(of_chunk) :]
                found |= of_chunk
                for number, each in of_chunk.items():
                    if each.problem is not None:
                        say(f"{number}: {each.problem!r}")
        codes = Counter(each.code for each in found.values())
        bad = sum(each.problem is not None for each in found.values())
        say(f"{len(found)} inputs by exit code: {dict(sorted(codes.items()))}; {bad} bad")
        seconds = max(each.seconds for each in found.values())
        megabytes = max(each.megabytes for each in found.values())
        say(f"the slowest took {seconds:.1f} s of CPU time, the largest {megabytes:.0f} MB")
        sys.exit(bad > 0)


if __name__ == "__main__":
    main()
