"""The report as a reader meets it: opened in a real browser."""

import pytest

pytestmark = pytest.mark.browser

CHARTS = ("faults", "starts", "ended", "in-flight", "latency")

INKED = """
    element => [...element.querySelectorAll("*"), element].flatMap(function walk(node) {
        return [node, ...[...(node.shadowRoot?.querySelectorAll("*") ?? [])].flatMap(walk)];
    }).filter(node => node.tagName === "CANVAS" && node.width > 0).some(
        canvas => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(byte => byte > 0)
    )
"""
"""Is anything painted on a canvas below an element? Bokeh's canvases are in shadow trees."""

WINDOW = "() => { const time = Bokeh.documents.at(-1).get_model_by_name('time'); return [time.start, time.end] }"
BANDS = """
    name => Bokeh.documents.at(-1).roots().find(plot => plot.name === name)
        .center.filter(each => each.name === "fault window").map(band => [band.left, band.right])
"""


@pytest.mark.parametrize(("run", "scheme"), [("violated", "light"), ("holds", "dark"), ("unknown", "light")])
def test_the_page_asks_for_nothing_and_complains_of_nothing(shown, visit, run, scheme):
    seen = shown(run) if scheme == "light" else visit(run, color_scheme=scheme)
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in seen.requests if url.startswith("file:")]) == 1
    assert seen.complaints == []


@pytest.mark.parametrize("run", ["violated", "holds", "unknown"])
def test_nothing_on_the_page_is_a_barrier(visit, run):
    assert visit(run).barriers() == []


def test_a_barrier_is_found(visit):
    """The check itself can fail. The page of a suite is the smallest."""
    seen = visit("suite")
    seen.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<button></button>')")
    assert [barrier.split(":")[0] for barrier in seen.barriers()] == ["button-name (critical)"]


def test_a_colour_that_cannot_be_read_in_the_dark_is_found(visit):
    seen = visit("suite")
    dark = "h1 { color: #222 !important; background: #111 !important }"
    seen.page.add_style_tag(content=f"@media (prefers-color-scheme: dark) {{ {dark} }}")
    assert {barrier.split(":")[0] for barrier in seen.barriers()} == {"color-contrast (serious)"}


def test_every_chart_is_painted(shown):
    page = shown("violated").page
    for chart in CHARTS:
        assert page.locator(f"#chart-{chart}").evaluate(INKED), chart


def test_every_fault_is_a_band_in_every_chart(shown):
    page = shown("violated").page
    for chart in CHARTS[1:]:
        assert page.evaluate(BANDS, chart) == [[6, 8.1], [16, 22], [30, 32.2]], chart


def test_a_chart_without_evidence_says_what_is_missing_and_the_others_are_painted(shown):
    page = shown("unknown").page
    told = page.locator("#time .missing").all_inner_texts()
    assert told == [
        f"Not drawn: evidence/{table}.parquet is missing"
        for table in ("operations", "instances", "instances", "operations")
    ]
    assert page.locator("#chart-faults").evaluate(INKED)


def test_all_charts_zoom_together_by_button_by_dragging_and_back(visit):
    page = visit("violated").page
    page.get_by_role("button", name="#1 latency").press("Enter")
    assert page.evaluate(WINDOW) == [13, 29]
    assert page.get_by_role("button", name="#1 latency").get_attribute("aria-pressed") == "true"
    chart = page.locator("#chart-starts")
    chart.scroll_into_view_if_needed()
    box = chart.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 300, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 600, middle, steps=5)
    page.mouse.up()
    start, end = page.evaluate(WINDOW)
    assert 13 < start < end < 29
    chart.dblclick()
    assert page.evaluate(WINDOW) == [0, 44]


def test_the_pointer_is_told_what_it_is_over(visit):
    page = visit("violated").page
    chart = page.locator("#chart-in-flight")
    chart.scroll_into_view_if_needed()
    chart.hover()
    assert page.get_by_text("in flight", exact=True).last.is_visible()


def test_the_first_violation_is_one_click_away_and_unfolded(visit):
    page = visit("violated").page
    page.get_by_role("link", name="Jump to the first violation").click()
    witness = page.locator("#witness-1")
    assert 0 <= witness.bounding_box()["y"] < 200
    assert witness.locator(".lanes").is_visible()
    assert witness.get_by_role("table", name="What is safe to do with it").is_visible()
    assert witness.locator("tr.fault").count() == 1
    assert witness.locator("tr.effect", has_text="/again").count() == 1


def test_a_link_to_a_folded_witness_unfolds_it(visit):
    assert visit("violated", "#witness-2").page.locator("#witness-2 tr.effect").first.is_visible()


def test_a_run_that_holds_has_nothing_to_jump_to(visit):
    page = visit("holds").page
    assert page.get_by_role("link", name="Jump to the first violation").count() == 0
    assert page.get_by_role("heading", level=1).inner_text() == "HOLDS"


def test_an_id_that_is_a_script_is_text_and_does_nothing(visit):
    page = visit("violated", "#witness-2").page
    assert page.title() == "VIOLATED: demo, seed 7"
    assert page.locator("script").count() == 3
    assert '<script>document.title="owned"</script>' in page.locator("#witness-2 .sentence").inner_text()


def test_a_script_that_came_in_all_the_same_would_not_run(visit):
    """What the content security policy is for: the day an escape is forgotten."""
    seen = visit("holds")
    seen.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src='https://localhost/x.png'>");
        }"""
    )
    assert seen.page.title() == "HOLDS: demo, seed 7"
    for kind in ("script-src", "img-src"):
        assert any(kind in complaint for complaint in seen.complaints), "Chromium names the rule that it applied"


@pytest.mark.parametrize("run", ["violated", "unknown", "long"])
def test_the_page_is_never_wider_than_the_window(visit, run):
    page = visit(run, viewport={"width": 390, "height": 844}).page
    page.evaluate("document.querySelectorAll('details').forEach(folded => folded.open = true)")
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_finger_scrolls_the_page_over_a_chart(visit):
    page = visit("holds", viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).page
    assert page.evaluate("Bokeh.documents.at(-1).roots().map(plot => plot.toolbar.active_drag)") == [None] * 5


def test_the_charts_follow_the_page_into_the_dark_and_keep_their_zoom(visit):
    page = visit("holds").page
    page.get_by_role("button", name="#0 kill").click()
    before = page.evaluate(WINDOW)
    page.emulate_media(color_scheme="dark")
    page.locator("html[data-drawn=dark]").wait_for(state="attached")
    assert page.evaluate(WINDOW) == before
    assert page.locator("#chart-starts").evaluate(INKED)
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(15, 18, 22)"


def test_everything_that_acts_is_reached_by_the_tab_key(visit):
    page = visit("violated").page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.innerText.trim().split('\\n')[0]"))
    assert {"Skip to the report", "Jump to the first violation", "whole run", "#2 kill"} <= reached
    assert "The rows behind it" in reached


def test_nothing_is_folded_on_paper(visit):
    page = visit("violated").page
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("article details:not([open])").count() == 0
    assert page.locator("nav").is_hidden()
