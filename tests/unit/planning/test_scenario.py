"""Scenario files: what is accepted, and how each mistake is told."""

from textwrap import dedent

import pytest

from harness.errors import UsageError
from harness.planning import scenario

GOOD = dedent("""\
    claim: Nothing is lost and nothing is done twice.
    target: target.yaml
    load:
      workflow: order_v1
      rate: 20
      duration: 30s
      mix: {plain: 1}
    faults:
      - {fault: kill, on: sidecar, at: 6s, for: 1.5s}
      - fault: latency
        on: "sidecar-*->redis"
        pick: all
        at: 12s
        for: 5s
        latency: 200ms
    """)


def load(tmp_path, text, settings=()):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    return scenario.load(file, settings)


def refusal(tmp_path, text, settings=()):
    with pytest.raises(UsageError) as caught:
        load(tmp_path, text, settings)
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_a_scenario_is_named_after_its_file_and_its_durations_are_seconds(tmp_path):
    read = load(tmp_path, GOOD)

    assert read.name == "mine"
    assert read.load.duration == 30.0
    assert (read.faults[0].at, read.faults[0].hold) == (6.0, 1.5)
    assert read.faults[1].settings == {"latency": 0.2, "jitter": 0.0, "stream": "downstream", "toxicity": 1.0}
    assert tmp_path / "target.yaml" == read.target


def test_a_misspelled_field_is_told_with_its_line_and_the_nearest_name(tmp_path):
    assert 'DIR/mine.yaml:6: "duraton" is not known here; did you mean "duration"?' in refusal(
        tmp_path, GOOD.replace("duration", "duraton")
    )


def test_a_misspelled_fault_is_told_with_its_line_and_the_nearest_name(tmp_path):
    assert (
        refusal(tmp_path, GOOD.replace("fault: kill", "fault: kil"))
        == 'DIR/mine.yaml:9: "kil" is not a fault; did you mean "kill"?'
    )


def test_a_setting_that_the_fault_does_not_have_is_told_with_its_line(tmp_path):
    assert 'DIR/mine.yaml:15: "latncy" is not a setting of latency; did you mean "latency"?' in refusal(
        tmp_path, GOOD.replace("latency: 200ms", "latncy: 200ms")
    )


def test_every_problem_is_told_at_once(tmp_path):
    told = refusal(tmp_path, GOOD.replace("rate: 20", "rate: fast").replace("6s", "soon"))

    assert "DIR/mine.yaml:5: load.rate:" in told
    assert "DIR/mine.yaml:9: faults.0.at: a duration is a number with ms, s, m or h" in told


def test_a_misspelled_part_of_an_aim_is_told_with_the_nearest_name(tmp_path):
    aimed = GOOD.replace("at: 6s", "at: {activity: x_v1, pont: after_effect}")

    told = refusal(tmp_path, aimed)
    assert 'faults.0.at.point" is missing' in told
    assert '"pont" is not known here; did you mean "point"?' in told


def test_a_fault_after_the_load_is_refused(tmp_path):
    told = refusal(tmp_path, GOOD, ["load.duration=5s"])

    assert told == (
        "DIR/mine.yaml with load.duration=5s: fault latency at 12 s comes after the load has ended (5 s); "
        "load.duration is at least 12 s for these faults"
    )
    assert refusal(tmp_path, GOOD.replace("duration: 30s", "duration: 5s")).startswith("DIR/mine.yaml:1: fault latency")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (["load.rate=fast"], "DIR/mine.yaml with load.rate=fast: load.rate: "),
        (["load.mix.plain=-3"], "DIR/mine.yaml with load.mix.plain=-3: load.mix.plain: "),
        (["load.pace=3"], 'DIR/mine.yaml with load.pace=3: "pace" is not known here'),
        (["faults.0.at=soon"], "DIR/mine.yaml with faults.0.at=soon: "),
        (["load.rate=9"], "DIR/mine.yaml:1: claim: "),
    ],
)
def test_a_wrong_value_of_the_command_line_is_not_blamed_on_a_line_of_the_file(tmp_path, settings, told):
    text = GOOD if settings != ["load.rate=9"] else GOOD.replace("Nothing is lost and nothing is done twice.", "Short.")

    assert refusal(tmp_path, text, settings).startswith(told)


def test_an_expected_violation_names_its_invariants_and_where_it_is_known(tmp_path):
    expect = "expect: {violated: [lost], upstream: https://example.org/issues/1}\n"

    assert load(tmp_path, GOOD + expect).expect.violated == ("lost",)
    assert "DIR/mine.yaml:16:" in refusal(tmp_path, GOOD + "expect: {violated: [lost]}\n")
    assert "DIR/mine.yaml:16:" in refusal(tmp_path, GOOD + "expect: violated\n")


def test_an_end_that_no_instance_has_is_told(tmp_path):
    told = refusal(tmp_path, GOOD, ["checks.minimum.classes={stuck: 1}"])

    assert '"stuck" is no end of an instance; expected one of: completed, compensated, rejected, refused' in told


def test_broken_yaml_is_told_with_its_line(tmp_path):
    assert refusal(tmp_path, "claim: [\nload: 1\n").startswith("DIR/mine.yaml:3: not valid YAML")


def test_a_missing_file_is_told():
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        scenario.load(scenario.find("nowhere/x.yaml"))


def test_settings_override_the_file(tmp_path):
    read = load(tmp_path, GOOD, ["load.rate=5", "faults.0.at=3s", "checks.minimum.instances=7"])

    assert (read.load.rate, read.faults[0].at, read.checks.minimum.instances) == (5.0, 3.0, 7)


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("load.rate", "expected path=value"),
        ("faults.9.at=3s", "expected an index below 2"),
        ("claim.words=1", "claim has no parts"),
    ],
)
def test_a_setting_that_leads_nowhere_is_refused(tmp_path, setting, told):
    assert told in refusal(tmp_path, GOOD, [setting])


def test_an_unknown_name_is_answered_with_the_nearest_scenario():
    with pytest.raises(UsageError, match='no scenario "sidecar_kil"; did you mean "sidecar_kill"'):
        scenario.find("sidecar_kil")


@pytest.mark.parametrize("name", scenario.names())
def test_every_named_scenario_can_be_read(name):
    assert name == scenario.load(scenario.find(name)).name


@pytest.mark.parametrize("content", [b"claim: a\x00b\n", "claim: ä\n".encode("latin-1"), b"claim: [a\n", b"\xff\xff"])
def test_what_is_no_yaml_text_is_refused_with_its_file(tmp_path, content):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)

    with pytest.raises(UsageError, match=r"mine\.yaml:\d+: not "):
        scenario.load(file)


@pytest.mark.parametrize("value", ["[a", "{", "a: b: c", "\x00"])
def test_a_setting_whose_value_is_no_yaml_is_refused(value):
    with pytest.raises(UsageError, match=r"--set gate\.known=.*: the value is not valid YAML"):
        scenario.load(scenario.find("demo"), [f"gate.known={value}"])


def test_a_scenario_expects_a_violation_or_allows_known_findings(tmp_path):
    expecting = "expect: {violated: [lost], upstream: https://example.org/issues/1}\ngate: {known: allow}\n"

    assert "not both" in refusal(tmp_path, GOOD + expecting)


@pytest.mark.parametrize("name", ["app", "redis", "sidecar-2", "app-x", "placements", "schedulers"])
def test_a_service_is_not_called_like_a_part_of_the_system(tmp_path, pytestconfig, name):
    from harness.planning import target

    text = (pytestconfig.rootpath / "target/target.yaml").read_text()
    file = tmp_path / "target.yaml"
    file.write_text(text.replace("  provider:\n", f"  {name}:\n").replace("service: provider", f"service: {name}"))

    with pytest.raises(UsageError, match=f'"{name}" is a role of the system'):
        target.load(file)
