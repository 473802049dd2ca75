"""Runs as a comparison sees them: made-up figures, and run directories with the made-up evidence of the shop."""

from pathlib import Path

from harness.comparing.figures import Figures, Latency, Recovery
from harness.comparing.sets import Found, Run
from harness.model import INTERRUPTED, Result
from harness.rundir import RunDir
from tests.builders import shop

NOBODY = Path("/nowhere")


def figures(seed=1, **changes):
    """The figures of one run, which holds."""
    return Figures(
        **{
            "run": f"run-{seed}",
            "scenario": "demo",
            "seed": seed,
            "dapr_version": "1.18.2",
            "defect": None,
            "result": Result.HOLDS,
            "interrupted": False,
            "began_ns": shop.LOAD_START_NS + seed * 10**11,
            "instances": 600,
            "violated": 0,
            "throughput": 15.0,
            "offered": 15.0,
            "accepted": 0.99,
            "start": Latency(median=0.08, p99=2.0),
            "completion": Latency(median=0.4, p99=6.0),
            "unended": 0,
            "repeated_attempts": 12,
            "recoveries": (Recovery(step=0, fault="kill", role="sidecar", seconds=3.0),),
            **changes,
        }
    )


def chance(seed, dice, **changes):
    """The figures of one run that differ from those of others by chance."""
    drawn = {
        "throughput": 15 * dice.gauss(1, 0.05),
        "accepted": 1 - 0.005 * dice.random(),
        "start": Latency(median=0.08 * dice.gauss(1, 0.05), p99=2 * dice.gauss(1, 0.1)),
        "completion": Latency(median=0.4 * dice.gauss(1, 0.05), p99=6 * dice.gauss(1, 0.15)),
        "repeated_attempts": dice.randint(0, 9),
        "recoveries": tuple(
            Recovery(step=step, fault="kill", role="sidecar", seconds=dice.uniform(2, 4)) for step in range(3)
        ),
    }
    return figures(seed, **{**drawn, **changes})


def found(of, side="base", plan=None, unusable=()):
    """A set of runs with these figures, each with a plan of its seed."""
    made = plan or shop.plan()
    return Found(
        tuple(
            Run(
                RunDir(NOBODY / side / each.run),
                made.model_copy(update={"seed": each.seed, "dapr_version": each.dapr_version, "defect": each.defect}),
                each,
            )
            for each in of
        ),
        unusable,
    )


def save(folder, seed, *, number=60, plan=None, interrupted=False, **changes):
    """A judged run directory with the evidence of `number` instances."""
    run = RunDir(folder / f"20261123T2356{seed:02d}Z-demo-{seed}")
    run.evidence.mkdir(parents=True)
    run.save_plan(plan or shop.plan(seed=seed))
    if interrupted:
        changes |= {"lacking": (f"the load was cut short: {INTERRUPTED}",), "result": Result.UNKNOWN}
    run.save_verdict(shop.verdict(run=run.name, seed=seed, **changes))
    shop.evidence(number, seed).write(run.evidence)
    return run
