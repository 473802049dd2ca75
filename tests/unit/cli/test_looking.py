"""`harness report --open` and `harness serve`: what a user asks to see."""

import os
import signal
import subprocess
import urllib.request
import webbrowser

import pytest

from harness import cli
from harness.errors import UsageError
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.command import BIN


@pytest.fixture(name="run")
def _run(tmp_path):
    folder = RunDir(tmp_path / "runs/20261129T100000Z-demo-7")
    folder.path.mkdir(parents=True)
    folder.save_plan(shop.plan())
    folder.save_verdict(shop.verdict())
    shop.evidence(3).write(folder.evidence)
    return folder


@pytest.mark.parametrize("there", [True, False])
def test_a_report_is_opened_or_the_user_is_told_where_it_is(run, monkeypatch, capsys, there):
    opened = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or there)

    cli.app(["report", str(run.path), "--open"], standalone_mode=False)

    assert opened == [(run.path / "report.html").as_uri()]
    told = f"no browser was found; open {opened[0]} yourself"
    assert (told in capsys.readouterr().out) is not there


def test_a_folder_that_is_none_is_told(tmp_path):
    with pytest.raises(UsageError, match="nowhere is not a folder"):
        cli.app(["serve", str(tmp_path / "nowhere")], standalone_mode=False)


def test_the_index_is_served_until_ctrl_c_which_is_no_failure(run):
    command = [BIN / "harness", "serve", str(run.path.parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "500"}) as serving:
        line = serving.stdout.readline()
        address = line.split(" is served at ")[1].split()[0]
        with urllib.request.urlopen(address, timeout=10) as answer:
            assert run.name in answer.read().decode()
        serving.send_signal(signal.SIGINT)
        try:
            assert serving.wait(10) == 0
        finally:
            serving.kill()


def test_a_report_stands_beside_that_of_a_baseline(run, tmp_path):
    cli.app(["report", run.name, "--out", str(run.path.parent), "--baseline", str(run.path)], standalone_mode=False)

    text = (run.path / "report.html").read_text()
    assert '<h2 id="beside-title">Beside ' in text
    assert "throughput, per second" in text
    with pytest.raises(UsageError, match='there is no run "nowhere"'):
        cli.app(["report", str(run.path), "--baseline", "nowhere"], standalone_mode=False)
