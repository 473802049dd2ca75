"""
How often known findings were met: recorded figures, and is a run more than they allow?

The record is a YAML file: target -> scenario -> Dapr release -> the number of runs and instances that were seen, and
for each finding the number of those that showed it. How often a finding is met depends on the workflow and its load, so
the record of one target allows another one nothing. A run is compared with the record twice, by runs and by instances:
one run can show a finding in dozens of instances, and the next ten runs in none.

The test is one-sided and exact: the binomial test of scipy (`binomtest`). A finding is more frequent than recorded if
a number as large as the one met has a probability below LEVEL even at the highest share that the record allows. That
share is the upper end of the record's one-sided interval at CONFIDENCE (C. J. Clopper and E. S. Pearson, "The use of
confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934). Without a record nothing
is allowed, and a record of fewer than LEAST_RUNS runs says too little to allow anything.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from importlib.resources import as_file, files
from pathlib import Path

from pydantic import Field, RootModel, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from harness.errors import UsageError
from harness.files import write_whole
from harness.model import Plan, Value, Verdict
from harness.planning.yamlfile import read

LEVEL = 0.01
"""A finding that is no more frequent than recorded is taken for more frequent in at most 1 of 100 tests."""
CONFIDENCE = 0.95
LEAST_RUNS = 10

_SHIPPED = files(__package__).joinpath("known", "rates.yaml")


class Met(Value):
    """
    How many runs and instances showed a finding.
    """

    runs: int = Field(ge=0)
    instances: int = Field(ge=0)


class Record(Value):
    """
    What was seen of one scenario on one Dapr release: so many runs with so many instances, and the findings in them.
    """

    runs: int = Field(ge=0)
    instances: int = Field(ge=0)
    findings: Mapping[str, Met] = {}

    @model_validator(mode="after")
    def _adds_up(self) -> Record:
        for name, met in self.findings.items():
            if met.runs > self.runs or met.instances > self.instances:
                raise ValueError(f"{name} is recorded more often than there are runs or instances")
        return self

    def with_run(self, verdict: Verdict) -> Record:
        """
        The record with one more run.
        """
        findings = dict(self.findings)
        for known in verdict.known:
            before = findings.get(known.name, Met(runs=0, instances=0))
            findings[known.name] = Met(runs=before.runs + 1, instances=before.instances + known.instances)
        return Record(runs=self.runs + 1, instances=self.instances + sum(verdict.classes.values()), findings=findings)


class Rates(RootModel[Mapping[str, Mapping[str, Mapping[str, Record]]]]):
    """
    Target -> scenario -> Dapr release -> its record.
    """

    def of(self, plan: Plan) -> Record | None:
        """
        The record of a plan's target, scenario and release; None if there is none.
        """
        return self.root.get(plan.target.name, {}).get(plan.scenario.name, {}).get(plan.dapr_version)

    def with_run(self, plan: Plan, verdict: Verdict) -> Rates:
        """
        The rates with one more run.
        """
        of_target = self.root.get(plan.target.name, {})
        of_scenario = of_target.get(plan.scenario.name, {})
        record = of_scenario.get(plan.dapr_version, Record(runs=0, instances=0)).with_run(verdict)
        of_scenario = {**of_scenario, plan.dapr_version: record}
        return Rates({**self.root, plan.target.name: {**of_target, plan.scenario.name: of_scenario}})


def load(file: Path | None = None) -> Rates:
    """
    The rates in `file`, by default those that come with the harness. Raises UsageError with file:line if it cannot be
    used.
    """
    if file is None:
        with as_file(_SHIPPED) as shipped:
            return load(shipped)
    document = read(file)
    return document.finish(document.validate(Rates, document.data))


def save(rates: Rates, file: Path) -> None:
    """
    Write the rates as YAML. The comments with which a file begins stay. Raises UsageError if the file cannot be
    written.
    """
    yaml = YAML()
    yaml.width = 120
    try:
        found = yaml.load(file.read_text(encoding="utf-8")) if file.exists() else None
        document = CommentedMap() if found is None else found
        document.update(json.loads(rates.model_dump_json()))
        text = io.StringIO()
        yaml.dump(document, text)
        write_whole(file, text.getvalue())
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}") from error


def excess(record: Record, verdicts: Iterable[Verdict]) -> list[str]:
    """
    Which known findings the runs meet more often than the record allows, a sentence each; empty if none.
    """
    every = list(verdicts)
    names = sorted({known.name for verdict in every for known in verdict.known})
    if names and record.runs < LEAST_RUNS:
        return [f"the record is of {record.runs} runs, and at least {LEAST_RUNS} are needed to allow a known finding"]
    runs, instances = len(every), sum(sum(verdict.classes.values()) for verdict in every)
    sentences = []
    for name in names:
        shown = [known for verdict in every for known in verdict.known if known.name == name]
        met = record.findings.get(name, Met(runs=0, instances=0))
        of_instances = sum(known.instances for known in shown)
        for what, number, total, recorded, of in (
            ("runs", len(shown), runs, met.runs, record.runs),
            ("instances", of_instances, instances, met.instances, record.instances),
        ):
            if _is_more(number, total, recorded, of):
                sentences.append(
                    f"{name} was met in {number} of {total} {what}, more often than recorded ({recorded} of {of})"
                )
    return sentences


def _is_more(number: int, total: int, recorded: int, of: int) -> bool:
    """
    Are `number` of `total` more than a record of `recorded` in `of` allows?
    """
    from scipy.stats import binomtest  # noqa: PLC0415 - half a second to load, and few runs need it

    if of == 0 or total == 0:
        return number > 0
    highest = binomtest(min(recorded, of), of, alternative="less").proportion_ci(CONFIDENCE, method="exact").high
    return bool(binomtest(min(number, total), total, highest, alternative="greater").pvalue < LEVEL)
