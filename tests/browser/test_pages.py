"""Every page of ours: runs of each kind, also hostile ones, a sweep, a suite, a capacity, and the index of a folder."""

import itertools
import shutil
import threading

import pytest

from harness.rundir import RunDir
from harness.serving import Server
from tests.builders import shop

pytestmark = pytest.mark.browser

PAGES = ("explained", "missed", "interrupted", "hostile", "sweep", "suite", "capacity")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_quiet_and_no_barrier_to_anybody(visit, page):
    seen = visit(page)
    assert seen.barriers() == []
    assert [url for url in seen.requests if not url.startswith("data:")] == [seen.page.url]
    assert seen.complaints == []
    levels = seen.page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5')].map(it => Number(it.tagName[1]))")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_wider_than_the_window(visit, page):
    page = visit(page, viewport={"width": 390, "height": 844}).page
    page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_hostile_texts_are_texts(visit):
    page = visit("hostile").page
    assert page.locator("script").count() == 3
    assert page.evaluate("document.querySelectorAll('img, iframe, object, main style, main link, base').length") == 0
    handlers = "[...document.querySelectorAll('*')].filter(it => [...it.attributes].some(a => a.name.startsWith('on')))"
    assert page.evaluate(f"{handlers}.length") == 0
    assert page.locator("a:not([href^='#'])").count() == 0
    assert page.locator(".lanes").count() >= 2
    assert "<script>alert(1)</script>" in page.locator("#witness-1").inner_text()


def test_a_missed_level_stands_beside_the_verdict_and_is_no_small_print(visit):
    page = visit("missed").page
    assert page.title() == "HOLDS, exit code 3: demo, seed 7"
    assert page.get_by_role("heading", level=1).inner_text() == "HOLDS"
    accepted = page.get_by_role("article", name="What is accepted")
    assert "It does not pass: a service level was missed. Exit code 3." in accepted.inner_text()
    assert "Service level missed: start.p99: 2.1 s; the level is 0.5 s" in accepted.inner_text()
    sizes = [
        page.get_by_role("article", name=name).locator(".sentence").evaluate("it => getComputedStyle(it).fontSize")
        for name in ("What is true", "What could be judged", "What is accepted")
    ]
    assert len(set(sizes)) == 1


def test_an_interrupted_run_says_so(visit):
    page = visit("interrupted").page
    assert "the user interrupted it" in page.get_by_role("article", name="What could be judged").inner_text()
    assert "exit code 130" in page.get_by_role("article", name="What is accepted").inner_text()


@pytest.fixture(name="index")
def _index(tmp_path, reports):
    """The address of the index of three runs."""
    for number, (name, verdict) in enumerate({"violated": shop.explained()[0], "holds": shop.verdict()}.items()):
        folder = RunDir(tmp_path / f"20261129T10000{number}Z-demo-{number}")
        folder.path.mkdir()
        folder.save_plan(shop.plan())
        folder.save_verdict(verdict)
        shutil.copy(reports[name], folder.path)
    (tmp_path / "<img src=x onerror=alert(1)>").mkdir()
    (tmp_path / "<img src=x onerror=alert(1)>" / "plan.json").touch()
    with Server(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.address
        server.shutdown()
        thread.join()


def test_the_index_is_quiet_and_no_barrier_to_anybody(opened, index):
    seen = opened(index, viewport={"width": 390, "height": 844})
    assert seen.barriers() == []
    assert seen.complaints == []
    assert seen.requests == [index]
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_index_is_filtered_and_leads_to_a_report_that_draws_its_charts(opened, index):
    seen = opened(index)
    page = seen.page
    assert page.get_by_role("table", name="Runs").get_by_role("row").count() == 1 + 3
    page.get_by_label("Result").select_option("VIOLATED")
    page.get_by_role("button", name="Filter").click()
    rows = page.get_by_role("table", name="Runs").get_by_role("row")
    assert rows.count() == 1 + 1
    assert page.get_by_label("Result").input_value() == "VIOLATED"
    rows.last.get_by_role("link", name="20261129T100000Z-demo-0").click()
    page.locator("html[data-drawn]").wait_for(state="attached")
    assert page.title() == "VIOLATED: demo, seed 7"
    assert [complaint for complaint in seen.complaints if "sandbox" not in complaint] == []
