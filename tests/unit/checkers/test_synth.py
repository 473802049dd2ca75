"""Synthetic runs: whole copies of a real one, which hold where it holds and lie where it lies."""

import itertools
import json
from dataclasses import replace

import duckdb
import pytest

from harness import cli, rundir
from harness.checkers import planned, synth
from harness.checkers.judge import judge
from harness.errors import EvidenceError, UsageError
from harness.evidence import manifest, schema, tables
from harness.planning import plan, scenario, target
from harness.rundir import RunDir
from tests.builders import literal
from tests.builders.evidence import write_evidence
from tests.builders.literal import one, sound


def shared():
    """The sound run, but that `c` takes its stock from where `a` does, after it."""
    rows = sound()
    for effect in rows["effects"]:
        if effect["instance_id"] == "c" and effect["source"] == "stock-sku-c":
            available = 5 if effect["effect"] == "reserve" else 7
            attributes = {"quantity": 2, "initial": 9, "available": available}
            position = effect["position"] + 1
            effect |= {"source": "stock-sku-a", "position": position, "attributes": json.dumps(attributes)}
    for table, column in (("history", "payload"), ("instances", "output"), ("readings", "output")):
        for row in rows[table]:
            if row.get(column):
                row[column] = row[column].replace("sku-c", "sku-a")
    return rows


def asked_for():
    """The starts of that run."""
    for each in literal.arrivals():
        yield replace(each, body={**each.body, "sku": each.body["sku"].replace("sku-c", "sku-a")})


@pytest.fixture(name="real")
def _real(tmp_path):
    """Makes of rows a run directory that holds them."""

    def of(rows):
        read = scenario.load(scenario.find("baseline"), ["checks.minimum={instances: 1}"])
        run = RunDir(tmp_path / "real")
        write_evidence(run.evidence, rows)
        made = plan.make(read, target.load(read.target), seed=1, dapr_version="1.18.2")
        asking = made.scenario.model_copy(update={"load": literal.planned().scenario.load})
        run.save_plan(made.model_copy(update={"scenario": asking}))
        return run

    return of


def rows_of(run, table):
    """The rows of an evidence table, in the order in which they lie."""
    answer = duckdb.connect().execute(f"FROM '{tables.path(run.evidence, table)}'")
    names = [column[0] for column in answer.description]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def number(rows):
    return len({row["instance_id"] for table in ("operations", "instances", "effects") for row in rows[table]})


@pytest.mark.parametrize("seed", range(2))
def test_a_run_that_holds_gives_a_run_that_holds(real, tmp_path, seed, monkeypatch):
    monkeypatch.setattr(planned, "schedule", lambda *_: asked_for())
    rows = shared()

    run, made, measures = synth.make(real(rows), 3 * number(rows) + 2, seed, tmp_path / "made")
    verdict = judge(run.name, run.load_plan(), run.evidence)

    assert verdict.result == "HOLDS", verdict.reasons
    assert sum(verdict.classes.values()) == made
    assert 3 * number(rows) < made <= 3 * number(rows) + 2
    assert manifest.modified(run) == ()
    assert all(measure.fits for measure in measures)


def test_it_says_of_itself_that_nothing_was_run(real, tmp_path):
    run, _, _ = synth.make(real(sound()), 2 * number(sound()), 1, tmp_path / "made")
    verdict = judge(run.name, run.load_plan(), run.evidence)

    assert run.path.name.endswith("-baseline-synthetic-1")
    assert verdict.scenario == "baseline-synthetic"
    assert verdict.claim.startswith(
        "SYNTHETIC: 22 instances made from the 11 of real (`harness synth`, seed 1). Nothing "
    )


def test_the_first_copy_is_the_run_itself(real, tmp_path):
    like = real(sound())

    run, _, _ = synth.make(like, number(sound()), 1, tmp_path / "made")

    for table in schema.TABLES:
        assert rows_of(run, table) == rows_of(like, table), table.name


def test_a_copy_has_names_and_times_of_its_own(real, tmp_path):
    like = real(shared())
    run, _, _ = synth.make(like, 2 * number(shared()), 1, tmp_path / "made")

    calls = rows_of(run, schema.OPERATIONS)
    assert len({call["op_id"] for call in calls}) == len(calls) == 2 * len(rows_of(like, schema.OPERATIONS))
    last_ns = max(row["at_ns"] for row in rows_of(like, schema.HISTORY))
    assert all(call["invoked_ns"] > last_ns for call in calls if call["instance_id"].endswith("~1"))
    order = next(
        json.loads(row["payload"])
        for row in rows_of(run, schema.HISTORY)
        if row["instance_id"] == "c~1" and row["event"] == "executionStarted"
    )
    assert order == {"order_id": "c~1", "kind": "lost_for_good", "sku": "sku-a~1", "quantity": 2}
    assert {row["source"] for row in rows_of(run, schema.EFFECTS) if row["instance_id"] == "c~1"} == {
        "provider-0",
        "stock-sku-a~1",
    }


def test_each_history_lies_together_and_in_order(real, tmp_path):
    run, _, _ = synth.make(real(sound()), 54, 1, tmp_path / "made")

    found = [(row["instance_id"], row["position"]) for row in rows_of(run, schema.HISTORY)]
    heads = [here[0] for here, before in zip(found, [(None, 0), *found], strict=False) if here[0] != before[0]]

    assert len(heads) == len(set(heads))
    assert all(here[1] == before[1] + 1 for before, here in itertools.pairwise(found) if here[0] == before[0])


def test_what_shares_a_document_comes_together(real, tmp_path, monkeypatch):
    """With two places left, `a` and `c` may come, but never one of them."""
    monkeypatch.setattr(synth, "compare", lambda *_: ())
    like, whole = real(shared()), number(shared())
    parts = set()
    for seed in range(8):
        run, _, _ = synth.make(like, whole + 2, seed, tmp_path / f"made-{seed}")
        ids = {row["instance_id"] for row in rows_of(run, schema.OPERATIONS)}
        parts.add(frozenset(name for name in ids if name.endswith("~1")))

    assert frozenset({"a~1", "c~1"}) in parts
    assert len(parts) > 1
    assert all(("a~1" in part) == ("c~1" in part) for part in parts)


def test_a_lie_is_copied_with_the_rest(real, tmp_path):
    rows = sound()
    rows["effects"].append(one(rows, "effects", key="a/ship") | {"key": "a/again", "position": 2})

    run, _, _ = synth.make(real(rows), 3 * number(rows), 1, tmp_path / "made")
    verdict = judge(run.name, run.load_plan(), run.evidence)

    assert verdict.result == "VIOLATED"
    assert verdict.classes["duplicated"] == 3


@pytest.mark.parametrize(("table", "name"), [("history", "history"), ("effects", "class completed")])
def test_what_is_not_like_the_real_run_is_told(real, tmp_path, table, name):
    like = real(sound())
    run, _, _ = synth.make(like, 2 * number(sound()), 1, tmp_path / "made")
    lying = next(each for each in schema.TABLES if each.name == table)
    tables.write(run.evidence, lying, [row for row in rows_of(run, lying) if row["instance_id"] != "a~1"])

    off = {each.name for each in synth.compare(run.load_plan(), like.evidence, run.evidence, 0.01) if not each.fits}

    assert name in off


def test_one_that_is_not_like_the_real_run_is_no_run(real, tmp_path, monkeypatch):
    monkeypatch.setattr(synth, "compare", lambda *_: (synth.Measure("calls ok", "share", 0.9, 0.8, 0.01),))

    with pytest.raises(EvidenceError, match=r"is not like real: calls ok \(0.9 and 0.8\)"):
        synth.make(real(sound()), 20, 1, tmp_path / "made")
    assert list((tmp_path / "made").iterdir()) == []


def test_fewer_than_there_are_is_a_usage_error(real, tmp_path):
    with pytest.raises(UsageError, match="real has 11 instances already"):
        synth.make(real(sound()), 4, 1, tmp_path / "made")


def test_a_run_without_effects_cannot_be_copied(real, tmp_path):
    like = real(sound())
    tables.path(like.evidence, schema.EFFECTS).unlink()

    with pytest.raises(EvidenceError, match="has no effects table"):
        synth.make(like, 20, 1, tmp_path / "made")


def test_the_command_shows_what_it_compared(real, tmp_path, capsys):
    like = real(sound())

    cli.app(["synth", "27", "--like", str(like.path), "--out", str(tmp_path / "made")], standalone_mode=False)

    printed = capsys.readouterr().out
    assert "rows an instance" in printed
    assert "27 instances; " in printed
    assert rundir.find(tmp_path / "made", "latest").load_plan().scenario.name == "baseline-synthetic"
