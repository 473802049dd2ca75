"""The GitHub Action, the GitLab template and the snippets of the documents: in step with each other, and valid."""

import json
import re
import shutil
import subprocess

import pytest
from ruamel.yaml import YAML

from tests.builders.command import BIN, ROOT

PAGE = (ROOT / "docs/gating-a-release.md").read_text()
ACTION = YAML(typ="safe").load((ROOT / "action.yml").read_text())
STEPS = ACTION["runs"]["steps"]
TEMPLATE = (ROOT / "ci/gitlab/durable-workflow-harness.yml").read_text()


def snippet(heading):
    """The YAML below a heading of the page."""
    return YAML(typ="safe").load(re.search(rf"### {heading}\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)[1])


def test_every_expression_of_the_action_names_something_that_is_there():
    outputs = {step["id"]: set(re.findall(r'echo "([\w-]+)=', step["run"])) for step in STEPS if "id" in step}
    text = (ROOT / "action.yml").read_text()

    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])
    for step, output in re.findall(r"steps\.(\w+)\.outputs\.([\w-]+)", text):
        assert output in outputs[step], f"{step} gives no {output}"


def test_no_script_of_the_action_has_an_expression_in_it():
    """A text that comes in as an expression would be part of the script; as a variable it is a text."""
    assert [step["name"] for step in STEPS if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("step", [step for step in STEPS if "run" in step], ids=lambda step: step["name"])
def test_every_script_of_the_action_is_bash(step):
    assert step["shell"] == "bash"
    subprocess.run(["bash", "-n", "-c", step["run"]], check=True)


def test_what_tells_of_a_run_is_done_after_a_failure_too():
    after = STEPS[[step.get("id") for step in STEPS].index("run") + 1 :]

    assert len(after) == 4
    assert all(step["if"].startswith("always()") for step in after)


def test_the_workflow_of_the_page_gives_the_action_what_it_needs(tmp_path):
    workflow = snippet("GitHub")
    (given,) = [step["with"] for step in workflow["jobs"]["chaos"]["steps"] if "GROUP/" in step["uses"]]

    assert set(given) <= set(ACTION["inputs"])
    assert {name for name, value in ACTION["inputs"].items() if value.get("required")} <= set(given)


def test_actionlint_finds_nothing_in_a_workflow_that_uses_the_action(tmp_path):
    if (linter := shutil.which("actionlint")) is None:
        pytest.skip("no actionlint: go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12")
    workflow = re.search(r"### GitHub\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)[1]
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    shutil.copy(ROOT / "action.yml", tmp_path)
    (folder / "chaos.yml").write_text(workflow.replace("GROUP/durable-workflow-harness@main", "./"))
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)

    found = subprocess.run([linter, "-no-color"], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (found.returncode, found.stdout) == (0, "")


def substituted(inputs):
    """The template's job, as GitLab makes it of the inputs."""
    header, _, body = TEMPLATE.partition("\n---\n")
    declared = YAML(typ="safe").load(header)["spec"]["inputs"]
    assert set(inputs) <= set(declared)
    values = {name: inputs.get(name, of.get("default") if of else None) for name, of in declared.items()}
    assert None not in values.values(), "an input without a default is not given"
    used = set(re.findall(r"\$\[\[ inputs\.([\w-]+) \]\]", body))
    assert used == set(declared)

    def filled(node):
        match node:
            case dict():
                return {filled(key): filled(value) for key, value in node.items()}
            case list():
                return [filled(each) for each in node]
            case str():
                return re.sub(r"\$\[\[ inputs\.([\w-]+) \]\]", lambda found: values[found[1]], node)
        return node

    return filled(YAML(typ="safe").load(body))  # GitLab fills in texts, not the file


def test_the_template_becomes_a_job_that_keeps_its_artifacts_and_shows_junit():
    (included,) = snippet("GitLab")["include"]
    jobs = substituted(included["inputs"])

    assert list(jobs) == ["chaos"]
    job = jobs["chaos"]
    assert job["artifacts"]["when"] == job["cache"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "chaos-runs/junit.xml"
    assert "/" not in job["cache"]["key"], "GitLab refuses it"
    assert job["variables"]["COMMAND"] == included["inputs"]["command"]
    for part in ("before_script", "script", "after_script"):
        subprocess.run(["bash", "-n", "-c", "\n".join(job[part])], check=True)


@pytest.mark.parametrize(("schema", "document"), [
    ("vendor.github-actions", ACTION),
    ("vendor.github-workflows", snippet("GitHub")),
    ("vendor.gitlab-ci", snippet("GitLab")),
    ("vendor.gitlab-ci", substituted(snippet("GitLab")["include"][0]["inputs"])),
])  # fmt: skip
def test_the_published_schemas_find_nothing(tmp_path, schema, document):
    file = tmp_path / "document.json"
    file.write_text(json.dumps(document).replace('"True":', '"on":').replace('"true":', '"on":'))

    found = subprocess.run(
        [BIN / "check-jsonschema", "--builtin-schema", schema, file], capture_output=True, text=True, check=False
    )

    assert found.returncode == 0, found.stdout
