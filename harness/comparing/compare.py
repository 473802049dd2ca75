"""
Two sets of runs of the same plans, scenario by scenario.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.comparing import measures, sets, statistics, trial
from harness.comparing.result import Compared, Comparison, Measured, Runs
from harness.comparing.sets import Found, Run
from harness.errors import UsageError
from harness.model import Result

_FLATTERING = 0.01
"""If the shares of accepted starts differ by more, the latencies are of different starts."""


def compare(base: Found, candidate: Found, names: tuple[str, str]) -> Comparison:
    """
    Compare two sets of runs. `names` are those of the two sets.

    Raises UsageError if they have no scenario in common, if a run is in both, if runs of one scenario had different
    plans, or if one side mixes what could be compared, such as two Dapr releases.
    """
    twice = {run.folder.path for run in base.runs} & {run.folder.path for run in candidate.runs}
    if twice:
        raise UsageError(f"a run cannot be on both sides: {', '.join(sorted(path.name for path in twice))}")
    first, second = sets.by_scenario(base.runs), sets.by_scenario(candidate.runs)
    both = sorted(first.keys() & second.keys())
    if not both:
        have = [", ".join(side) or "no judged runs" for side in (first, second)]
        raise UsageError(f"no scenario has runs on both sides: the base has {have[0]}, the candidate {have[1]}")
    for scenario in both:
        _refuse_other_plans(scenario, [*first[scenario], *second[scenario]])
        _refuse_mixed(scenario, "base", first[scenario])
        _refuse_mixed(scenario, "candidate", second[scenario])
    return Comparison(
        base=names[0],
        candidate=names[1],
        scenarios=_concluded([_compared(scenario, first[scenario], second[scenario]) for scenario in both]),
        only_base=tuple(name for name in first if name not in both),
        only_candidate=tuple(name for name in second if name not in both),
        unusable=(*base.unusable, *candidate.unusable),
    )


def _concluded(scenarios: Sequence[Compared]) -> tuple[Compared, ...]:
    """
    Return the scenarios with what became of each measure, by p-values that are adjusted for all of them together.
    """
    p_values = [each.p for scenario in scenarios for each in scenario.measures if each.p is not None]
    adjusted = iter(statistics.adjusted(p_values))

    def measured(told: Measured) -> Measured:
        return trial.concluded(told, None if told.p is None else next(adjusted))

    return tuple(
        scenario.model_copy(update={"measures": tuple(map(measured, scenario.measures))}) for scenario in scenarios
    )


def _compared(scenario: str, base: Sequence[Run], candidate: Sequence[Run]) -> Compared:
    first, second = sets.decided(base), sets.decided(candidate)
    seeds = [sorted(run.plan.seed for run in side) for side in (base, candidate)]
    paired = seeds[0] == seeds[1] and len(set(seeds[0])) == len(seeds[0])
    return Compared(
        scenario=scenario,
        base=_runs(base),
        candidate=_runs(candidate),
        paired=paired,
        notes=(*_notes(base, candidate), *(["The seeds are the same: means are compared seed by seed."] * paired)),
        measures=(
            *(trial.of_shares(measure, first, second) for measure in measures.SHARES),
            *(trial.of_means(measure, first, second, paired=paired) for measure in measures.means(first, second)),
        ),
    )


def _refuse_other_plans(scenario: str, runs: Sequence[Run]) -> None:
    first = runs[0]
    for run in runs[1:]:
        if differs := sets.differences(first.plan, run.plan):
            raise UsageError(
                f"{first.folder.name} and {run.folder.name} are both of {scenario}, but their plans differ: "
                + "; ".join(differs)
            )


def _refuse_mixed(scenario: str, side: str, runs: Sequence[Run]) -> None:
    first = sets.subjects(runs[0])
    for run in runs[1:]:
        for name, value in sets.subjects(run).items():
            if value != first[name]:
                raise UsageError(
                    f"the {side} mixes runs of {scenario} with {name} {first[name]} ({runs[0].folder.name}) and "
                    f"{value} ({run.folder.name}); give a folder that holds only one kind"
                )


def _runs(runs: Sequence[Run]) -> Runs:
    used = sets.decided(runs)
    results = [run.figures.result for run in runs]
    return Runs(
        used=tuple(run.run for run in used),
        left_out=tuple(run.figures.run for run in runs if run.figures not in used),
        results={result: results.count(result) for result in Result if result in results},
        subjects=sets.subjects(runs[0]),
    )


def _notes(base: Sequence[Run], candidate: Sequence[Run]) -> Iterator[str]:
    first, second = sets.subjects(base[0]), sets.subjects(candidate[0])
    differ = [f"{name} {first[name]} and {second[name]}" for name in first if first[name] != second[name]]
    if not differ:
        yield "The sets differ in nothing that a run records; what differs is the code, the machine, or nothing."
    elif len(differ) > 1:
        yield f"The sets differ in several things, so none of them alone explains a change: {'; '.join(differ)}."
    else:
        yield f"The sets differ in one thing that a run records: {differ[0]}."
    accepted = [[run.accepted for run in sets.decided(runs) if run.accepted is not None] for runs in (base, candidate)]
    if all(accepted):
        shares = [sum(of) / len(of) for of in accepted]
        if abs(shares[1] - shares[0]) > _FLATTERING:
            yield (
                f"The base accepted {100 * shares[0]:.3g} % of the starts, the candidate {100 * shares[1]:.3g} %. "
                "Latencies are of accepted starts, so they flatter the side that accepted fewer."
            )
    for side, runs in (("base", base), ("candidate", candidate)):
        used = sets.decided(runs)
        if lost := len(runs) - len(used):
            yield f"{lost} of {len(runs)} runs of the {side} are UNKNOWN or were interrupted, and are left out."
        if unended := sum(run.unended or 0 for run in used):
            yield f"{unended} accepted instances of the {side} never ended; they count until the run was over."
