"""A headless Chromium, and reports for it to open. Set CI to make a missing browser a failure."""

import functools
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from axe_playwright_python.sync_playwright import Axe
from harness_reports import capacity as capacity_drawing
from harness_reports import html
from harness_reports import suite as suite_drawing
from harness_reports import sweep as drawing
from playwright.sync_api import sync_playwright

from harness import suite as suites
from harness import sweep as sweeps
from harness.capacity import series
from harness.capacity.result import Curve
from harness.checkers.gate import Decision
from harness.errors import Exit, NodeError
from harness.model import INTERRUPTED, Result
from harness.planning import target
from harness.planning.suite import Suite
from harness.runtime import shipped
from harness.suite import Case, SuiteRun
from harness.sweep import Outcome
from tests.builders import capacity as capacities
from tests.builders import hostile_run as hostile
from tests.builders import shop
from tests.builders.hostile_run import TEXTS

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--no-sandbox",  # CI runs as root, and the only page it opens is ours
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


# Not for the session: Playwright keeps an event loop running in this thread for as long as it is open, and no test
# beside it could then run one of its own.
@pytest.fixture(name="chromium", scope="module")
def _chromium():
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = f"no browser: none of {', '.join(_NAMES)} is on the PATH"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_FLAGS))
        yield browser
        browser.close()


def _violated(folder):
    made = shop.evidence()
    verdict = shop.violated(made)
    made.write(folder / "evidence")
    return html.write(shop.plan(defect="double_ship"), verdict, folder, shop.DECISION)


def _holds(folder):
    shop.evidence().write(folder / "evidence")
    return html.write(shop.plan(), shop.verdict(), folder, shop.DECISION)


def _unknown(folder):
    """Nothing was collected but the faults and the phases."""
    made = shop.evidence(60)
    made.write(folder / "evidence")
    for table in ("operations", "instances", "history"):
        (folder / "evidence" / f"{table}.parquet").unlink()
    reasons = ("evidence/operations.parquet is missing",)
    return html.write(shop.plan(), shop.verdict(result=Result.UNKNOWN, reasons=reasons), folder, shop.DECISION)


def _explained(folder):
    made = shop.evidence(200)
    verdict, decision = shop.explained()
    made.write(folder / "evidence")
    return html.write(shop.plan(), verdict, folder, decision)


def _missed(folder):
    """Every promise is kept, and a service level is not."""
    shop.evidence(60).write(folder / "evidence")
    verdict = shop.verdict(missed_levels=("start.p99: 2.1 s; the level is 0.5 s",))
    return html.write(shop.plan(), verdict, folder, Decision(Exit.GATE_MISSED))


def _interrupted(folder):
    made = shop.evidence(60)
    made.rows["phases"] = made.rows["phases"][:2]
    made.write(folder / "evidence")
    reasons = (f"the load phase was cut short: {INTERRUPTED}",)
    verdict = shop.verdict(result=Result.UNKNOWN, reasons=reasons, lacking=reasons)
    return html.write(shop.plan(), verdict, folder, Decision(Exit.UNKNOWN))


def _hostile(folder):
    verdict, plan = hostile.write(folder)
    return html.write(plan, verdict, folder, Decision(Exit.VIOLATED, (TEXTS[0],)))


def _long(folder):
    """A run whose texts have no place at which a line could break."""
    text = "x" * 5_000
    made = shop.evidence(60)
    for row in made.rows["instances"]:
        row["status"] = text
    made.write(folder / "evidence")
    found = shop.finding("lost", Result.VIOLATED, violations=1, claim=text, reason=text)
    verdict = shop.verdict(
        (found, shop.finding("duplicated", Result.UNKNOWN, reason=text)),
        run=text,
        claim=text,
        reasons=(text,),
        lacking=(text,),
        notes=(text,),
        modified=(text,),
        missed_levels=(text,),
        classes={text: 7, "completed": 3},
        kinds={text: {text: 7, "completed": 3}},
        operations={"ok": 7, text: 3},
        rests_on=(text,),
        faults=tuple(each.model_copy(update={"fault": text, "unrecovered": text}) for each in shop.fault_findings()),
    )
    return html.write(shop.plan(), verdict, folder, Decision(Exit.VIOLATED, (text,)))


def _sweep(folder):
    described = target.load(shipped.TARGET)
    made = sweeps.matrix(described, "order_v1", seed=1, dapr_version="1.18.2")
    for number, cell in enumerate(made.cells[:-8]):
        outcome = list(Outcome)[number % len(Outcome)]
        text = TEXTS[number % len(TEXTS)]
        told = {"reasons": (text,), "violated": (text,), "proof": {text: text}, "node": "app-0"}
        made = made.with_(sweeps.Judged(cell=cell, outcome=outcome, took=41.5, run="20260101T000000Z-cell-1", **told))
    drawing.write(made, folder)
    return folder / drawing.PAGE


def _capacity(folder):
    """Both curves with a run of each kind; what came from outside is hostile."""
    curves = []
    for faults, most in ((False, 50), (True, 30)):
        curve = Curve(faults=faults)
        for number, rate in enumerate((5, 10, 20, 40, 80, 56.6)):
            told = {"violated": TEXTS[:2], "reasons": TEXTS[:9]} if number % 3 else {}
            curve = series.with_step(curve, capacities.step(rate, capacity=most, code=number % 3, **told))
        curves.append(curve)
    return capacity_drawing.write(capacities.capacity(*curves, target=TEXTS[0], scenario=TEXTS[1]), folder)


def _suite(folder):
    """A run of each kind, and one that failed; what came from outside is hostile."""
    described = Suite(name="mine", claim=TEXTS[0], budget=600, runs=({"scenario": "a", "seeds": [1, 2, 3, 4]},))
    case = {"entry": 0, "scenario": "a", "dapr_version": "1.18.2", "backend": "processes", "expected": 60}
    so_far = SuiteRun(suite=described, cases=tuple(Case(**case, seed=seed) for seed in described.runs[0].seeds))

    def make(case):
        if case.seed == 4:
            raise NodeError(TEXTS[0])
        result, code = {1: ("HOLDS", 0), 2: ("VIOLATED", 1), 3: ("UNKNOWN", 2)}[case.seed]
        verdict = shop.verdict(result=Result(result), reasons=TEXTS[:9])
        return suites.Made(verdict, Decision(Exit(code), TEXTS[:9]), f"run-{case.seed}")

    for each in suites.go(so_far, make):
        so_far = each
    suite_drawing.write(so_far, folder, TEXTS[:9])
    return folder / suite_drawing.PAGE


@pytest.fixture(name="reports", scope="session")
def _reports(tmp_path_factory):
    """Name of a page -> its file."""
    runs = {
        "violated": _violated,
        "holds": _holds,
        "unknown": _unknown,
        "explained": _explained,
        "missed": _missed,
        "interrupted": _interrupted,
        "hostile": _hostile,
        "long": _long,
        "sweep": _sweep,
        "suite": _suite,
        "capacity": _capacity,
    }
    return {name: make(tmp_path_factory.mktemp(name)) for name, make in runs.items()}


_OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""The rules of axe-core that another colour scheme can break."""


@dataclass
class Visit:
    """A page that was opened, and all that it asked for and complained of."""

    page: object
    requests: list = field(default_factory=list)
    complaints: list = field(default_factory=list)

    def barriers(self):
        """
        What axe-core finds that keeps somebody from reading the page, folded parts included, as `rule (impact): where`;
        `[]` if nothing. In the dark only what has to do with colours is asked again.
        """
        self.page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
        asked = {"resultTypes": ["violations"]}  # axe-core need not name each node at which there is no barrier
        found = Axe().run(self.page, options=asked).response["violations"]
        self.page.emulate_media(color_scheme="dark")
        found += Axe().run(self.page, options={**asked, "runOnly": _OF_COLOURS}).response["violations"]
        return [f"{each['id']} ({each['impact']}): {node['target']}" for each in found for node in each["nodes"]]


@contextmanager
def _visiting(chromium):
    """`visit(address)` -> Visit, until the `with` block ends."""
    contexts = []

    def visit(address, **settings):
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **settings})
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.on("request", lambda request: visit.requests.append(request.url))
        visit.page.on("dialog", lambda dialog: visit.complaints.append(f"a dialog: {dialog.message}"))
        visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
        visit.page.on(
            "console",
            lambda message: message.type in ("error", "warning") and visit.complaints.append(message.text),
        )
        visit.page.goto(address)
        if visit.page.locator("#drawing").count():
            visit.page.locator("html[data-drawn]").wait_for(state="attached")
        return visit

    yield visit
    for context in contexts:
        context.close()


@pytest.fixture(name="opened")
def _opened(chromium):
    """`opened(address)` -> Visit, for any page of ours, once its charts are drawn if it has any."""
    with _visiting(chromium) as visit:
        yield visit


@pytest.fixture(name="visit")
def _visit(opened, reports):
    """`visit(run)` -> Visit, to the report of that run."""
    return lambda run, anchor="", **settings: opened(reports[run].as_uri() + anchor, **settings)


@pytest.fixture(name="shown", scope="module")
def _shown(chromium, reports):
    """`shown(run)` -> Visit, to the report of that run. It is the same for all tests, which only look at it."""
    with _visiting(chromium) as visit:
        yield functools.cache(lambda run: visit(reports[run].as_uri()))
