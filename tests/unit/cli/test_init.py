"""`harness init`: what can be changed is copied out, and nothing is overwritten."""

import pytest

from harness import cli
from harness.errors import UsageError
from harness.planning import target
from harness.planning.request import Request


def test_a_scenario_is_copied_out_with_the_target_it_is_for(tmp_path, capsys):
    folder = tmp_path / "mine"
    cli.app(["init", str(folder), "--scenario", "sidecar_kill"], standalone_mode=False)

    plan = Request(str(folder / "scenarios/sidecar_kill.yaml")).plan(1)

    assert plan.target.app.workdir == folder
    assert plan.target.compose == folder / "compose/compose.yaml"
    assert (folder / "scenarios/locustfile.py").is_file()
    assert not list(folder.rglob("__pycache__"))
    assert f"harness run {folder}/scenarios/sidecar_kill.yaml" in capsys.readouterr().out
    assert target.load(folder / "target/target.yaml").name == "orders"


@pytest.mark.parametrize("inside", ["a file in it", None])
def test_what_is_there_is_left_alone(tmp_path, inside):
    folder = tmp_path / "mine"
    if inside is None:
        folder.write_text("a file in its place")
    else:
        folder.mkdir()
        (folder / "kept").write_text(inside)

    with pytest.raises(UsageError, match="is there and not empty"):
        cli.app(["init", str(folder)], standalone_mode=False)


def test_a_scenario_that_is_not_there_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match='no scenario "nope"'):
        cli.app(["init", str(tmp_path / "mine"), "--scenario", "nope"], standalone_mode=False)
    assert not (tmp_path / "mine").exists()
