"""Faults and invariants of a team's own package: found where it is installed, refused by its name if it is wrong."""

import re
import sys

import pytest

from harness import cli, faults, plugins
from harness.checkers import invariant
from harness.errors import UsageError
from harness.planning import scenario, target
from harness.planning.request import Request
from harness.runtime import shipped

FAULT = """
from typing import ClassVar
from harness.faults.base import Fault, Hits, NotFeltError, Proof

class FdLimit(Fault[None]):
    '''The node may open no more files.'''

    hits: ClassVar[Hits] = "nodes"
    needs: ClassVar[type] = object
    most: int = 16

    def apply(self, system, node):
        pass

    def prove(self, system, node, applied):
        raise NotFeltError("nothing was done", {})

    def heal(self, system, node):
        pass
"""
RULE = """-- claim: Nothing.
-- examined: SELECT 1
-- witness: {instance_id}
SELECT instance_id FROM classes WHERE FALSE
"""
SCENARIO = """
claim: A node that may open no more files loses nothing.
load: {workflow: order_v1, rate: 1, duration: 10s, mix: {plain: 1}}
faults:
  - {fault: fd_limit, on: app, at: 2s, for: 1s, most: 8}
"""


@pytest.fixture(name="install")
def _install(tmp_path, monkeypatch):
    """Installs a package called acme-chaos, as pip leaves one behind."""

    def install(*, fault="fd_limit = acme_chaos.faults:FdLimit", rules=("acme",), code=FAULT):
        package = tmp_path / "acme_chaos"
        (package / "rules").mkdir(parents=True)
        (package / "__init__.py").write_text("")
        (package / "rules/__init__.py").write_text("")
        (package / "faults.py").write_text(code)
        for name in rules:
            (package / f"rules/{name}.sql").write_text(RULE)
        about = tmp_path / "acme_chaos-1.2.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-chaos\nVersion: 1.2\n")
        (about / "entry_points.txt").write_text(
            f"[{plugins.FAULTS}]\n{fault}\n[{plugins.INVARIANTS}]\nacme = acme_chaos.rules\n"
        )
        monkeypatch.syspath_prepend(tmp_path)
        faults.families.cache_clear()

    yield install
    faults.families.cache_clear()
    for module in [name for name in sys.modules if name.startswith("acme_chaos")]:
        del sys.modules[module]


def test_a_fault_of_a_package_is_planned_like_any_other(install, tmp_path):
    install()
    file = tmp_path / "mine.yaml"
    file.write_text(SCENARIO)

    (step,) = Request(str(file)).plan(1).steps

    assert (step.fault, step.settings) == ("fd_limit", {"most": 8})
    assert "FaultEntry.fd_limit" in scenario.schema()["$defs"]


def test_its_settings_are_checked_with_their_line(install, tmp_path):
    install()
    file = tmp_path / "mine.yaml"
    file.write_text(SCENARIO.replace("most: 8", "most: many"))

    with pytest.raises(UsageError, match=r"mine\.yaml:5: "):
        Request(str(file)).plan(1)


def test_without_the_package_the_fault_is_unknown(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(SCENARIO)

    with pytest.raises(UsageError, match='"fd_limit" is not a fault'):
        Request(str(file)).plan(1)
    with pytest.raises(UsageError, match='no fault "fd_limit" here; install the package that brings it'):
        faults.make("fd_limit", {})


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fault": "kill = acme_chaos.faults:FdLimit"}, "kill of acme-chaos 1.2 .* has a name that is taken"),
        ({"fault": "fd_limit = acme_chaos.faults:Nowhere"}, "fd_limit of acme-chaos 1.2 .* cannot be loaded"),
        ({"fault": "fd_limit = acme_chaos.faults:Hits"}, "fd_limit of acme-chaos 1.2 .* is no class derived from"),
        ({"code": "1 / 0"}, "cannot be loaded: ZeroDivisionError"),
    ],
)
def test_a_fault_that_cannot_be_used_is_refused_with_its_package(install, options, told):
    install(**options)

    with pytest.raises(UsageError, match=told):
        faults.families()


def described(invariants):
    """The reference target, with this folder of invariants."""
    return target.load(shipped.TARGET).model_copy(update={"invariants": invariants})


def test_an_invariant_that_catches_what_nobody_plants_is_refused_with_its_package(install, tmp_path):
    install()
    (tmp_path / "acme_chaos/rules/acme.sql").write_text(f"-- catches: double_shp\n{RULE}")

    with pytest.raises(UsageError, match=r'acme\.sql: catches: nobody plants .* did you mean "double_ship"'):
        invariant.besides_general(described(None))


def test_the_invariants_of_a_package_are_judged_beside_the_target_s(install, tmp_path):
    install()
    folder = tmp_path / "of_target"
    folder.mkdir()
    (folder / "mine.sql").write_text(RULE)

    assert invariant.besides_general(described(folder)) == {"mine": RULE, "acme": RULE}
    assert invariant.besides_general(described(None)) == {"acme": RULE}


def test_an_invariant_with_a_name_that_is_taken_is_refused_with_its_package(install):
    install(rules=("stuck",))

    with pytest.raises(
        UsageError, match=r"acme of acme-chaos 1.2 .* stuck.sql has the name of an invariant of the harness"
    ):
        invariant.besides_general(described(None))


def test_an_invariant_that_cannot_be_read_is_refused_with_its_package(install, tmp_path):
    install()
    (tmp_path / "acme_chaos/rules/acme.sql").write_bytes(b"-- claim: \xff\n")

    with pytest.raises(UsageError, match=r"acme of acme-chaos 1.2 .* cannot be read: .* invalid start byte"):
        invariant.besides_general(described(None))
    (plugin,) = plugins.found(plugins.INVARIANTS)
    assert "cannot be read" in invariant.problem(plugin)


def test_doctor_lists_what_is_loaded_and_from_where(install, monkeypatch, capsys):
    install()
    monkeypatch.setenv("COLUMNS", "200")
    cli.app(["doctor"], standalone_mode=False)

    printed = capsys.readouterr().out
    assert re.search(r"ok +fault fd_limit +1.2 +acme_chaos.faults:FdLimit of acme-chaos", printed)
    assert re.search(r"ok +invariants acme +1.2 +acme_chaos.rules of acme-chaos", printed)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"code": "1 / 0"}, "mend or uninstall acme-chaos"),
        ({"fault": "fd_limit = acme_chaos.faults:Hits"}, "is no class derived from"),
        ({"code": FAULT.replace("def heal", "def soothe")}, "that has apply, prove and heal"),
        ({"rules": ("stuck",)}, "stuck.sql has the name of an invariant of the harness"),
    ],
)
def test_doctor_tells_of_what_cannot_be_used_and_fails(install, monkeypatch, capsys, options, told):
    install(**options)
    monkeypatch.setenv("COLUMNS", "300")

    assert cli.app(["doctor"], standalone_mode=False) == 70
    assert told in " ".join(capsys.readouterr().out.split())
