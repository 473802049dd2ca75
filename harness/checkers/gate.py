"""
From verdicts to an exit code: what a team accepts, apart from the judging. The gate never changes a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers import invariant, known, rates
from harness.errors import Exit, UsageError
from harness.model import INTERRUPTED, Finding, Gate, Plan, Result, Verdict
from harness.planning.yamlfile import did_you_mean

_CODES = {Result.HOLDS: Exit.HOLDS, Result.VIOLATED: Exit.VIOLATED, Result.UNKNOWN: Exit.UNKNOWN}


@dataclass(frozen=True)
class Decision:
    """
    What the gate makes of a run: its exit code, and sentences that say why it is not that of the verdict alone.

    `accepted`: the violations are known findings of others, and the gate lets them pass.
    """

    code: Exit
    sentences: tuple[str, ...] = ()
    accepted: bool = False


def refuse_unusable(plan: Plan) -> None:
    """
    Raise UsageError, before anything runs, if the gate's recorded rates, the invariants beside the general ones or the
    team's known findings cannot be used, or if the scenario expects the violation of an invariant that there is not.
    """
    rules = invariant.load(invariant.GENERAL).keys() | invariant.besides_general(plan.target).keys()
    known.of_team(plan.target.known, rules)
    for name in plan.scenario.expect.violated if plan.scenario.expect is not None else ():
        if name not in rules:
            raise UsageError(
                f'scenario {plan.scenario.name}: expect.violated: "{name}" is not an invariant; '
                + did_you_mean(name, rules)
            )
    if plan.scenario.gate.known == "allow":
        rates.load(plan.scenario.gate.recorded)


def decide(plan: Plan, verdict: Verdict) -> Decision:
    """
    What the gate of the plan's scenario makes of one run.

    A missed service level only counts where the run passes otherwise: it says nothing about a run that is not sound.
    What a scenario expects to be violated passes when just that is; when it holds, the exit code is that of a
    violation, so that somebody hears of it. Raises UsageError if the recorded rates of the gate cannot be used.
    """
    as_expected = is_as_expected(verdict)
    if as_expected is None:
        decision = _by_result(plan.scenario.gate, plan, verdict)
    else:
        decision = Decision(Exit.HOLDS if as_expected else Exit.VIOLATED)
    if decision.code is Exit.HOLDS and verdict.missed_levels:
        return Decision(Exit.GATE_MISSED, decision.sentences, decision.accepted)
    return decision


def _by_result(gate: Gate, plan: Plan, verdict: Verdict) -> Decision:
    interrupted = any(INTERRUPTED in reason for reason in verdict.lacking)
    if verdict.result is Result.UNKNOWN and gate.unknown == "allow" and not verdict.modified and not interrupted:
        return Decision(Exit.HOLDS, ("the gate allows a run that cannot tell (gate.unknown)",))
    if verdict.result is not Result.VIOLATED or gate.known == "deny":
        return Decision(_CODES[verdict.result])
    against = _against(plan, verdict)
    if against:
        return Decision(Exit.VIOLATED, tuple(against))
    names = ", ".join(met.name for met in verdict.known)
    met = f"every violation is explained by a known finding ({names}), met no more often than recorded"
    return Decision(Exit.HOLDS, (met,), accepted=True)


def _against(plan: Plan, verdict: Verdict) -> list[str]:
    """
    Why a violated run does not pass although its gate allows known findings; empty if it does.
    """
    sentences = [
        f"{finding.name}: {finding.unexplained} of {finding.violations} rows are explained by no known finding"
        for finding in unexplained(verdict)
    ]
    sentences += [f"{finding.name} cannot be told" for finding in verdict.findings if _is_untold(finding)]
    sentences += verdict.lacking
    if sentences:
        return sentences
    record = rates.load(plan.scenario.gate.recorded).of(plan)
    if record is None:
        of = f"{plan.scenario.name} on Dapr {plan.dapr_version}"
        return [f"no record says how often {of} meets known findings; `harness gate RUN... --record FILE` makes one"]
    return rates.excess(record, [verdict])


def _is_untold(finding: Finding) -> bool:
    """
    Is it UNKNOWN for a reason other than rows that known findings explain?
    """
    return finding.result is Result.UNKNOWN and (finding.violations == 0 or finding.unexplained > 0)


def unexplained(verdict: Verdict) -> list[Finding]:
    """
    The violated invariants with rows that no known finding explains.
    """
    return [each for each in verdict.findings if each.result is Result.VIOLATED and each.unexplained]


def is_as_expected(verdict: Verdict) -> bool | None:
    """
    Is violated what the scenario expects, and nothing else, in a run that lacks nothing: every fault was felt, all the
    evidence is there? None where it expects nothing, or nothing can be told: also not of evidence that was changed
    after the run.
    """
    if verdict.expect is None or verdict.result is Result.UNKNOWN or verdict.modified:
        return None
    untold = any(map(_is_untold, verdict.findings))
    return verdict.result is Result.VIOLATED and not verdict.lacking and not untold and not unexpected(verdict)


def unexpected(verdict: Verdict) -> list[str]:
    """
    The names of the violated invariants that the scenario does not expect to be.
    """
    allowed = set(verdict.expect.violated) if verdict.expect is not None else set()
    return [each.name for each in verdict.findings if each.result is Result.VIOLATED and each.name not in allowed]


def over_runs(runs: Sequence[tuple[Plan, Verdict]]) -> Sequence[str]:
    """
    Which known findings several runs meet more often than recorded, a sentence each, scenario by scenario and release
    by release. Of runs of one scenario that pass one by one the number can still be too high.
    """
    groups: dict[tuple[str, str], list[tuple[Plan, Verdict]]] = {}
    for plan, verdict in runs:
        if plan.scenario.gate.known == "allow":
            groups.setdefault((plan.scenario.name, plan.dapr_version), []).append((plan, verdict))
    sentences = []
    for (scenario, release), members in groups.items():
        plan = members[0][0]
        record = rates.load(plan.scenario.gate.recorded).of(plan)
        if record is not None:
            found = rates.excess(record, [verdict for _, verdict in members])
            sentences += [f"{scenario} on Dapr {release}: {sentence}" for sentence in found]
    return sentences
