"""What known findings explain, in a verdict; and what the gate makes of it."""

import functools

import pytest

from harness.checkers import gate, known, rates
from harness.checkers.judge import judge
from harness.errors import Exit, UsageError
from harness.model import Gate, Result
from tests.builders import literal, shop
from tests.builders.evidence import write_evidence
from tests.builders.literal import LIES, change, sound

FINDING = """-- title: The cause that this test made up.
-- layer: engine
-- seen: 1.18.2
-- fixed: 1.19.0
-- explains: stuck, half_compensated
-- sentence: {instance_id} shows it
SELECT instance_id FROM classes WHERE instance_id = 'a'
"""


@pytest.fixture(name="judged", scope="module")
def _judged(planned, tmp_path_factory):
    """The verdict on the sound run with a lie told in it, and a known finding; each is judged once."""

    @functools.cache
    def judged(*lies, text=FINDING, release="1.18.2"):
        rows = sound()
        for lie in lies:
            lie(rows)
        folder = write_evidence(tmp_path_factory.mktemp("evidence"), rows)
        plan = planned.model_copy(update={"dapr_version": release})
        return judge("r", plan, folder, known={"made_up": known.parse("made_up", text)})

    return judged


@functools.cache
def stuck(instance):
    """That instance never ends."""

    def tell(rows):
        last = max((row for row in rows["history"] if row["instance_id"] == instance), key=lambda row: row["position"])
        rows["history"].remove(last)
        nothing = dict.fromkeys(("outcome", "output", "completed_ns"))
        change(rows, "instances", {**nothing, "status": "RUNNING"}, instance_id=instance)
        left = [row for row in rows["history"] if row["instance_id"] == instance]
        told = {"status": "RUNNING", "output": None, "updated_ns": max(row["at_ns"] for row in left)}
        change(rows, "readings", told, instance_id=instance)
        for read in rows["requests"]:
            if read["instance_id"] == instance and read["operation"] == "get":
                read["runtime_status"] = "RUNNING"
        number = len(left)
        change(rows, "instances", {"history_length": number, "history_rows": number}, instance_id=instance)

    return tell


def of(verdict, name):
    return next(finding for finding in verdict.findings if finding.name == name)


def test_a_violation_that_a_finding_explains_is_still_one_and_says_by_what(judged):
    verdict = judged(stuck("a"))

    found = of(verdict, "stuck")
    assert (verdict.result, found.result) == (Result.VIOLATED, Result.VIOLATED)
    assert (found.violations, found.explained, found.unexplained) == (1, 1, 0)
    assert found.witnesses[0].explained_by == ("made_up",)
    (met,) = verdict.known
    assert (met.name, met.instances, met.rows, met.sentences) == ("made_up", 1, 1, ("a shows it",))
    assert any("stuck is violated once (all explained by known findings)" in reason for reason in verdict.reasons)


def test_another_instance_is_not_explained(judged):
    found = of(judged(stuck("a"), stuck("e")), "stuck")

    assert (found.violations, found.explained, found.unexplained) == (2, 1, 1)


def test_an_invariant_that_it_does_not_name_is_not_explained(judged):
    verdict = judged(stuck("a"), text=FINDING.replace("stuck, half_compensated", "lost"))

    assert (of(verdict, "stuck").explained, verdict.known) == (0, ())


@pytest.mark.parametrize(
    ("release", "explained"), [("1.18.1", 0), ("1.18.2", 1), ("1.18.7", 1), ("1.19.0", 0), ("1.20.1", 0)]
)
def test_it_explains_in_the_releases_that_can_have_it(judged, release, explained):
    assert of(judged(stuck("a"), release=release), "stuck").explained == explained


def test_a_finding_that_cannot_be_looked_for_explains_nothing_and_says_so(judged):
    verdict = judged(stuck("a"), text=FINDING.replace("FROM classes", "FROM nowhere"))

    assert of(verdict, "stuck").explained == 0
    assert any(note.startswith("the known finding made_up could not be looked for") for note in verdict.notes)


def test_in_a_run_that_holds_nothing_is_looked_for(judged):
    verdict = judged(text=FINDING.replace("FROM classes", "FROM nowhere"))

    assert (verdict.result, verdict.known) == (Result.HOLDS, ())
    assert not any("nowhere" in note for note in verdict.notes)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("-- layer: engine", "-- layer: nobody"), "layer is one of"),
        (("-- seen: 1.18.2\n", ""), "the header lacks seen"),
        (("-- seen: 1.18.2", "-- seen: lately"), "a release is like 1.18.2"),
        (("-- title", "-- tilte"), "the header has 'tilte'"),
        (("-- seen: 1.18.2", "-- seen: ,"), "seen needs at least one release"),
        (
            ("-- fixed: 1.19.0", "-- fixed: 1.19.0, 1.20.0"),
            "seen needs at least one release, and fixed has at most one",
        ),
        (("{instance_id} shows it", "{instance_id shows it"), "the sentence cannot be filled"),
    ],
)
def test_a_file_that_is_no_finding_is_refused_with_its_name(tmp_path, change, told):
    (tmp_path / "mine.sql").write_text(FINDING.replace(*change))

    with pytest.raises(UsageError, match=f"mine.sql: {told}"):
        known.load(tmp_path)


def test_a_name_that_is_taken_is_refused(tmp_path):
    (tmp_path / "result_discarded.sql").write_text(FINDING)

    with pytest.raises(UsageError, match="there is a known finding result_discarded already"):
        known.of_team(tmp_path, ())


def test_an_invariant_that_there_is_not_is_explained_by_nothing(tmp_path):
    (tmp_path / "mine.sql").write_text(FINDING)

    with pytest.raises(UsageError, match=r'mine\.sql: explains: "stuck" is not an invariant; did you mean "stock"'):
        known.of_team(tmp_path, {"stock", "lost"})


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.fixture(name="allowing")
def _allowing(tmp_path):
    """A plan whose gate allows known findings, with recorded rates."""

    def allowing(record="{runs: 20, instances: 2000, findings: {made_up: {runs: 2, instances: 2}}}", **settings):
        file = tmp_path / "rates.yaml"
        plan = literal.planned()
        found = f'baseline: {{"1.18.2": {record}}}' if record else "other: {}"
        file.write_text(f"{plan.target.name}:\n  {found}\n")
        accepts = Gate(known="allow", recorded=file, **settings)
        return plan.model_copy(update={"scenario": plan.scenario.model_copy(update={"gate": accepts})})

    return allowing


def test_a_run_passes_whose_violations_are_all_explained(judged, allowing):
    decision = gate.decide(allowing(), judged(stuck("a")))

    assert (decision.code, decision.accepted) == (Exit.HOLDS, True)
    assert "every violation is explained by a known finding (made_up)" in decision.sentences[0]


def test_without_being_told_the_gate_denies(judged, planned):
    assert gate.decide(planned, judged(stuck("a"))).code is Exit.VIOLATED


def test_one_row_that_is_not_explained_fails_the_run(judged, allowing):
    decision = gate.decide(allowing(), judged(stuck("a"), stuck("e")))

    assert (decision.code, decision.accepted) == (Exit.VIOLATED, False)
    assert decision.sentences == ("stuck: 1 of 2 rows are explained by no known finding",)


def test_a_known_finding_hides_no_defect_beside_it(judged, allowing):
    decision = gate.decide(allowing(), judged(stuck("a"), LIES["forward_duplicated"]))

    assert decision.code is Exit.VIOLATED


def test_a_run_that_lacks_something_does_not_pass(judged, allowing):
    verdict = judged(stuck("a")).model_copy(update={"lacking": ("kill of app-0 (step 0) was not felt",)})

    assert gate.decide(allowing(), verdict).sentences == ("kill of app-0 (step 0) was not felt",)


def test_without_a_record_nothing_passes(judged, allowing):
    decision = gate.decide(allowing(record=None), judged(stuck("a")))

    assert decision.code is Exit.VIOLATED
    assert "no record says how often baseline on Dapr 1.18.2 meets known findings" in decision.sentences[0]


def test_more_than_recorded_does_not_pass(judged, allowing):
    verdict = judged(stuck("a"))
    often = verdict.known[0].model_copy(update={"instances": 10})
    verdict = verdict.model_copy(update={"known": (often,), "classes": {"completed": 333}})

    decision = gate.decide(allowing(), verdict)

    assert decision.code is Exit.VIOLATED
    assert decision.sentences == ("made_up was met in 10 of 333 instances, more often than recorded (2 of 2000)",)


def test_runs_that_pass_one_by_one_can_be_too_many(judged, allowing):
    plan, verdict = allowing(), judged(stuck("a")).model_copy(update={"classes": {"completed": 2000}})

    assert gate.decide(plan, verdict).code is Exit.HOLDS
    assert gate.over_runs([(plan, verdict)] * 2) == []
    (told,) = gate.over_runs([(plan, verdict)] * 10)
    assert told == "baseline on Dapr 1.18.2: made_up was met in 10 of 10 runs, more often than recorded (2 of 20)"


def test_a_thin_record_is_no_matter_where_no_finding_was_met(judged, allowing):
    plan = allowing("{runs: 1, instances: 300, findings: {}}")
    nothing = judged().model_copy(update={"known": ()})

    assert gate.over_runs([(plan, nothing)] * 3) == []
    (told,) = gate.over_runs([(plan, nothing), (plan, judged(stuck("a")))])
    assert "at least 10 are needed to allow a known finding" in told


def test_a_run_that_cannot_tell_passes_only_where_that_is_allowed(allowing):
    verdict = shop.verdict(result=Result.UNKNOWN, reasons=("too thin",))

    assert gate.decide(allowing(), verdict).code is Exit.UNKNOWN
    assert gate.decide(allowing(unknown="allow"), verdict).code is Exit.HOLDS
    modified = verdict.model_copy(update={"modified": ("evidence/effects.parquet",)})
    assert gate.decide(allowing(unknown="allow"), modified).code is Exit.UNKNOWN


# --- rates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "total", "recorded", "of", "more"),
    [
        (0, 10, 0, 20, False),
        (1, 1, 1, 20, False),
        (1, 10, 0, 20, False),
        (2, 10, 0, 20, False),
        (5, 10, 0, 20, True),
        (5, 10, 10, 20, False),
        (10, 10, 10, 20, False),
        (14, 14, 10, 20, True),
        (1, 679, 2, 13_580, False),
        (10, 679, 2, 13_580, True),
        (1, 10, 0, 0, True),
    ],
)
def test_how_often_is_more_often_than_recorded(number, total, recorded, of, more):
    assert rates._is_more(number, total, recorded, of) is more


def test_a_record_of_a_few_runs_allows_nothing(judged, allowing):
    decision = gate.decide(allowing(record="{runs: 9, instances: 9000}"), judged(stuck("a")))

    assert decision.code is Exit.VIOLATED
    assert decision.sentences == ("the record is of 9 runs, and at least 10 are needed to allow a known finding",)


def test_a_record_that_does_not_add_up_is_refused(allowing, judged):
    plan = allowing(record="{runs: 20, instances: 9, findings: {made_up: {runs: 2, instances: 50}}}")

    with pytest.raises(UsageError, match="made_up is recorded more often than there are runs or instances"):
        gate.refuse_unusable(plan)


def test_what_a_gate_needs_is_refused_before_anything_runs(planned, tmp_path):
    def with_gate(**settings):
        return planned.model_copy(
            update={"scenario": planned.scenario.model_copy(update={"gate": Gate(known="allow", **settings)})}
        )

    gate.refuse_unusable(with_gate())
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot be read"):
        gate.refuse_unusable(with_gate(recorded=tmp_path / "nowhere.yaml"))
    (tmp_path / "result_discarded.sql").write_text(FINDING)
    with pytest.raises(UsageError, match="there is a known finding result_discarded already"):
        gate.refuse_unusable(
            planned.model_copy(update={"target": planned.target.model_copy(update={"known": tmp_path})})
        )


def test_what_is_expected_does_not_excuse_what_cannot_be_told():
    expect = {"violated": ["lost"], "upstream": "https://example.org/issues/1"}
    lost = shop.finding("lost", Result.VIOLATED, violations=1)
    untold = shop.finding("stuck", Result.UNKNOWN, reason="the query failed")

    assert gate.is_as_expected(shop.verdict((lost,), expect=expect)) is True
    assert gate.is_as_expected(shop.verdict((lost, untold), expect=expect)) is False


def test_an_interrupted_run_never_passes(allowing):
    reasons = ("the load phase was cut short: the user interrupted it",)
    verdict = shop.verdict(result=Result.UNKNOWN, reasons=reasons, lacking=reasons)

    assert gate.decide(allowing(unknown="allow"), verdict).code is Exit.UNKNOWN


def test_a_row_of_no_instance_is_never_explained(judged):
    text = FINDING.replace("SELECT instance_id FROM classes WHERE instance_id = 'a'", "SELECT '' AS instance_id")

    assert judged(stuck("a"), text=text).known == ()


def test_what_is_recorded_is_read_back(tmp_path, judged, planned):
    file = tmp_path / "rates.yaml"
    verdict = judged(stuck("a"))
    rates.save(rates.Rates({}).with_run(planned, verdict).with_run(planned, verdict), file)

    record = rates.load(file).of(planned)

    assert (record.runs, record.instances) == (2, 2 * sum(verdict.classes.values()))
    assert record.findings == {"made_up": rates.Met(runs=2, instances=2)}


def test_rates_that_cannot_be_used_are_refused_with_their_line(tmp_path):
    file = tmp_path / "rates.yaml"
    file.write_text('orders:\n  demo:\n    "1.18.2":\n      runs: many\n      instances: 1\n')

    with pytest.raises(UsageError, match=r"rates\.yaml:4: "):
        rates.load(file)


def test_the_shipped_rates_are_of_shipped_findings_and_scenarios():
    from harness.planning import scenario

    ((target, of_target),) = rates.load().root.items()
    assert target == "orders"
    for name, of_scenario in of_target.items():
        assert name in scenario.names()
        for record in of_scenario.values():
            assert set(record.findings) <= set(known.load())


def test_what_is_recorded_keeps_the_comments_with_which_the_file_begins(tmp_path, planned):
    file = tmp_path / "rates.yaml"
    file.write_text("# Met on two busy cores.\norders:\n  demo:\n    1.18.2: {runs: 3, instances: 9}\n")

    rates.save(rates.load(file).with_run(planned, shop.verdict()), file)

    assert file.read_text().startswith("# Met on two busy cores.\norders:\n")
    assert rates.load(file).root["orders"].keys() == {"demo", planned.scenario.name}


def test_the_record_of_one_target_allows_another_one_nothing(planned):
    other = planned.model_copy(update={"target": planned.target.model_copy(update={"name": "payments"})})
    recorded = rates.Rates({}).with_run(planned, shop.verdict())

    assert recorded.of(planned) is not None
    assert recorded.of(other) is None
