"""A target's description that cannot be meant is refused, with its lines."""

import pytest

from harness.errors import UsageError
from harness.planning import target


def refusal(pytestconfig, tmp_path, *changes):
    text = (pytestconfig.rootpath / "tests/targets/payments/target.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "target.yaml"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        target.load(file)
    return str(caught.value).replace(str(tmp_path), "DIR")


def test_an_effect_has_one_meaning(pytestconfig, tmp_path):
    """Where two pairs share a name, a compensation that is missing would pass for that of the other."""
    pair = "  - {forward: hold, compensation: void}\n"

    told = refusal(pytestconfig, tmp_path, (pair, pair + "  - {forward: charge, compensation: void}\n"))

    assert told == 'DIR/target.yaml:27: "void" is the name of another effect, too'


def test_a_set_of_effect_pairs_fits_a_number(pytestconfig, tmp_path):
    pair = "  - {forward: hold, compensation: void}\n"
    more = "".join(f"  - {{forward: f{number}, compensation: c{number}}}\n" for number in range(62))

    assert "at most 62 items" in refusal(pytestconfig, tmp_path, (pair, pair + more))


LEDGER = "{prefix: account-, field: entries}"
OUTCOMES = """    outcome: result
    outcomes:
      paid: {ends: completed, effects: [hold]}
      voided: {ends: compensated}
"""


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([("outcome: result", "outcome: result[")], '17: "result[" is not a JMESPath expression'),
        (
            [(OUTCOMES, "    outcome: result\n")],
            "17: what `outcome` may find, and what it means, is missing: `outcomes`",
        ),
        ([("    outcome: result\n", "")], "17: where the output has these words is missing: `outcome`"),
        ([(OUTCOMES, "")], "11: which effects an instance has that is COMPLETED is missing"),
        (
            [("    outcome: result\n", "    outcome: result\n    statuses: {COMPLETED: {ends: completed}}\n")],
            "18: where there is an `outcome`, it says what COMPLETED means",
        ),
        ([("  - {prefix: account-, field: entries}\n", "  []\n")], "25: where these effects can be read is missing"),
        (
            [(LEDGER, "{prefix: account-, row: {at: 'at['}}")],
            '28: "at[" is not a JMESPath expression',
        ),
        ([(LEDGER, "{prefix: account-}")], "28: which list of a document has the rows"),
        ([(LEDGER, "{sql: 'mysql://u:secret@localhost/x', query: x}")], "28: a password does not belong here; name"),
        ([(LEDGER, "{sql: 'mysql://u@db.example/x', query: x}")], "28: db.example is not this machine"),
        ([(LEDGER, "{sql: 'mysql://u@localhost/x?host=y', query: x}")], "28: a URL ends with the name of the database"),
        ([(LEDGER, "{sql: 'mysql://u@localhost:y/x', query: x}")], "28: not a URL of a database"),
        ([(LEDGER, "{sql: 'oracle://u@localhost/x', query: x}")], "28: not one of the databases that can be read"),
        ([(LEDGER, "{sql: 'sqlite:///x.db', query: x}")], "28: an absolute path is needed"),
        ([(LEDGER, "{sql: 'sqlite:///{data}/x.db', query: ' '}")], "28: a SELECT is needed here"),
        ([(LEDGER, "{sql: 'sqlite:////x.db', query: x, rows: y}")], '28: "rows" is not known here; did you mean "row"'),
        ([(LEDGER, "{service: bank, path: /x, next: y, token: z}")], "28: where the rows of a page are is missing"),
        ([(LEDGER, "{service: bank, path: /x, rows: y, token: z}")], "28: where a page has the token of the next one"),
        ([("start: {dapr: dapr}", "start: {http: /pay, id: '['}")], '12: "[" is not a JMESPath expression'),
        ([("[python, worker.py]", "[python, worker.py]\n  health: sometimes")], "health: string should match pattern"),
        (
            [
                (
                    "[python, worker.py]",
                    "[python, worker.py]\n  versions: {a: {}, b: {env: {X: '1'}}, c: {command: [python, worker.py]}}",
                )
            ],
            "8: it is started as a is; give it another `env` or `command`",
        ),
        (
            [("[python, worker.py]", "[python, worker.py]\n  versions: {a: {health: port}}")],
            '"health" is not known here',
        ),
    ],
)
def test_an_end_is_described_once_and_in_full(pytestconfig, tmp_path, changes, told):
    assert told in refusal(pytestconfig, tmp_path, *changes)


@pytest.mark.parametrize(
    ("ledger", "told"),
    [
        ("{observed: save, matching: 'a-*'}", '"ledgers.0.row" is missing'),
        ("{observed: save, matching: 'a-*', row: {effect: x}}", "where a call has the instance id is missing"),
        ("{observed: save, matching: 'a-*', row: {instance_id: x}}", "which effect such a call makes is missing"),
        ("{observed: publish, matching: t, row: {instance_id: x, effect: y}}", "its idempotency key is missing"),
        ("{observed: read, matching: '*', row: {instance_id: x, effect: y}}", "observed: input should be"),
        ("{observed: save, matching: '*', row: {instance_id: '[', effect: y}}", '"[" is not a JMESPath expression'),
        ("{calls: bank, path: /x, row: {instance_id: x, effect: y, key: z}}", '"bank" is not a service of this target'),
        ("{calls: bank, path: x, row: {instance_id: x, effect: y, key: z}}", "path: string should match pattern"),
        (
            "{observed: save, matching: '*', settled_by: sql-0, row: {instance_id: x, effect: y}}",
            '"sql-0" is not a ledger of this target that is kept',
        ),
    ],
)
def test_what_must_be_said_of_calls_as_effects_is_asked_for(pytestconfig, tmp_path, ledger, told):
    assert told in refusal(pytestconfig, tmp_path, ("{prefix: account-, field: entries}", ledger))


def test_an_application_without_outcomes_effects_and_ledgers_is_a_target(tmp_path):
    file = tmp_path / "target.yaml"
    file.write_text(
        """
name: plain
app_id: plain
app: {command: [python, app.py], health: workers}
components: components
configuration: configuration.yaml
workflows:
  order:
    start: {http: /orders, id: instanceId}
    body: {}
    kinds: {order: {ends: [completed]}}
    outcome: processed
    outcomes:
      true: {ends: completed}
      5: {ends: rejected}
"""
    )

    assert list(target.load(file).workflows["order"].outcomes) == ["true", "5"]
