"""
`make bench`: what the hot paths cost, each beside a peer that does the same in the same run.

`python -m tests.bench judging journal` measures these sections alone. Figures are saved in runs/bench/bench.json;
nothing passes or fails here, because a figure without its machine says little: the ratios are what can be compared.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from pathlib import Path

from rich.console import Console

from tests.bench import faults, journal, judging, load, mutation, peers, tap

SECTIONS = {
    "journal": journal.measure,
    "judging": judging.measure,
    "faults": faults.measure,
    "tap": tap.measure,
    "load": load.measure,
    "peers": peers.measure,
    "mutation": mutation.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for what is made and measured")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no section {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    chosen.out.mkdir(parents=True, exist_ok=True)
    console = Console()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    console.print(f"bench on {machine}")
    saved = {"machine": machine, "sections": {}}
    for name in chosen.sections or SECTIONS:
        table = SECTIONS[name](chosen.out, lambda text: console.print(f"  ... {text}", style="dim"))
        table.show(console)
        saved["sections"][name] = {"figures": table.figures, "notes": table.notes}
        (chosen.out / "bench.json").write_text(json.dumps(saved, indent=2) + "\n")
    console.print(f"figures: {chosen.out / 'bench.json'}")


if __name__ == "__main__":
    main()
