"""
`python -m tests.bench.timed RUN`: judge that run, and print what it took as one JSON object.

A process of its own, so that its peak memory is its own; and a module, because in a program given by `-c` DuckDB takes
itself for interactive, and draws progress bars between the figures.
"""

import json
import resource
import sys
import time
from pathlib import Path

from harness.checkers.judge import judge
from harness.rundir import RunDir


def main():
    run = RunDir(Path(sys.argv[1]))
    steps, plan, began = [], run.load_plan(), time.perf_counter()
    verdict = judge(run.name, plan, run.evidence, progress=lambda what, *_: steps.append((what, time.perf_counter())))
    ended = time.perf_counter()
    ends = [at for _, at in steps[1:]] + [ended]
    found = {
        "seconds": ended - began,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "examined": sum(finding.examined for finding in verdict.findings),
        "violations": sum(finding.violations for finding in verdict.findings),
        "steps": {what: end - begin for (what, begin), end in zip(steps, ends, strict=True)},
    }
    print(json.dumps(found))  # noqa: T201  its standard output is its answer


if __name__ == "__main__":
    main()
