"""What the commands print, in a job of GitHub Actions and elsewhere."""

import io
import json
import re
import sys

import pytest
import structlog

from harness import cli
from harness.cli import console
from tests.builders.hostile import HOSTILE


def is_command(line):
    """Does the runner look for a command in this line (ActionCommand.TryParseV2 and TryParse in actions/runner)?"""
    return line.lstrip().startswith("::") or "##[" in line


@pytest.fixture(autouse=True)
def _log_as_before(monkeypatch):
    """What a command sets for its whole process is not set for the tests after this one."""
    monkeypatch.setattr(structlog, "configure", lambda **_: None)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "")


def job(monkeypatch):
    """Standard output and error as they are in a job."""
    streams = io.StringIO(), io.StringIO()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    cli._prepare()
    return streams


@pytest.mark.parametrize("text", [*HOSTILE, ":::", "###[error]x", "a\n  ::error::b"])
def test_nothing_that_is_printed_in_a_job_is_a_workflow_command(monkeypatch, text):
    streams = job(monkeypatch)
    console.say(text)
    console.out.print(text[:1000], markup=False)
    console.err.print(text[:1000], markup=False)
    sys.stdout.writelines([text, text])
    for sign in text[:1000]:
        sys.stderr.write(sign)

    for stream in streams:
        assert stream.getvalue() != ""
        assert [line for line in re.split(r"[\r\n]", stream.getvalue()) if is_command(line)] == []


def test_our_own_annotations_are_commands(monkeypatch):
    out, _ = job(monkeypatch)
    console.say("before")
    console.annotate(["::error title=a::b"])

    assert out.getvalue() == "before\n::error title=a::b\n"


def test_a_json_document_has_the_same_content_and_no_command(monkeypatch):
    out, _ = job(monkeypatch)
    document = {"claim": "::error::x ##[error]y ::: ####["}

    console.say_json(json.dumps(document))

    assert json.loads(out.getvalue()) == document
    assert "::" not in out.getvalue()
    assert "##" not in out.getvalue()


def test_elsewhere_what_is_printed_stays_as_it_is(monkeypatch, capsys):
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    cli._prepare()

    console.say("::a ##[b]")
    console.say_json('{"a": "::"}')

    assert capsys.readouterr().out == '::a ##[b]\n{"a": "::"}\n'
