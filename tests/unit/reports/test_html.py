"""The HTML report as a file: whole, escaped, bounded, and sound where evidence is missing."""

import re
from html.parser import HTMLParser

import pytest
from harness_reports import html, palette

from harness.model import NotApplicable, Result, Stall, Stuck, Witness
from harness.rundir import RunDir
from tests.builders import shop
from tests.builders.shop import finding


class Page(HTMLParser):
    """What is in a page: every tag with its attributes, every id, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.text, self._inside = [], "", None
        self.feed(text)
        self.text = " ".join(self.text.split())
        self.ids = [attributes["id"] for _, attributes in self.tags if "id" in attributes]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag
        self.text += " "

    def handle_endtag(self, tag):
        self._inside = None
        self.text += " "

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data


@pytest.fixture(name="run", scope="module")
def _run(tmp_path_factory):
    """A violated run: its page, its verdict and its folder."""
    folder = tmp_path_factory.mktemp("run")
    made = shop.evidence()
    verdict = shop.violated(made)
    made.write(folder / "evidence")
    return Page(html.write(shop.plan(), verdict, folder, shop.DECISION).read_text(encoding="utf-8")), verdict, folder


def test_the_page_is_one_file_that_loads_nothing(run):
    page, _, folder = run
    assert (folder / "report.html").stat().st_size < html.MOST_BYTES
    links = [attributes.get(name) for _, attributes in page.tags for name in ("href", "src") if attributes.get(name)]
    assert [link for link in links if not link.startswith(("#", "data:"))] == []


def test_only_the_two_scripts_that_are_put_in_may_run(run):
    page, *_ = run
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert policy.count("sha256-") == 2
    assert "unsafe-eval" not in policy
    scripts = [attributes for tag, attributes in page.tags if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "drawing"}, {}, {}]


def test_every_link_inside_the_page_leads_somewhere_and_no_id_is_given_twice(run):
    page, *_ = run
    assert len(page.ids) == len(set(page.ids))
    inside = {attributes["href"][1:] for tag, attributes in page.tags if tag == "a"}
    assert inside <= set(page.ids)
    assert "witness-1" in inside


STALL = Stall(
    at_ns=shop.LOAD_START_NS + 60_000_000_000,
    phase="settle",
    after=15.2,
    waiting=3,
    workers={"sidecar-0": "1 connected"},
    instances=(Stuck(instance_id=shop.EVIL, status="RUNNING", why="timer 7 has not fired"),),
)
SECTION = re.compile(r'<section id="([^"]+)"')
NAVIGATION = re.compile(r'<nav aria-label="Sections">.*?</nav>', re.DOTALL)


def sections(file):
    """The sections of a page, and what its navigation leads to, both in order."""
    text = file.read_text(encoding="utf-8")
    return SECTION.findall(text), re.findall(r'href="#([^"]+)"', NAVIGATION.search(text)[0])


def test_the_navigation_leads_to_every_section_in_order(tmp_path):
    made = shop.evidence()
    verdict = shop.violated(made)
    unknown = finding("lost", Result.UNKNOWN, reason="there was nothing to examine")
    left = NotApplicable(invariants=("body_ran", "result_after_body"), lacking="which bodies ran", give="a tap")
    verdict = verdict.model_copy(
        update={
            "findings": (*verdict.findings, unknown),
            "known": shop.explained()[0].known,
            "notes": ("a note",),
            "not_applicable": (left,),
        }
    )
    made.write(tmp_path / "evidence")
    RunDir(tmp_path).save_stall(STALL)
    plain = tmp_path / "plain"
    shop.evidence(20).write(plain / "evidence")

    there, led_to = sections(html.write(shop.plan(), verdict, tmp_path, shop.DECISION))

    assert there == led_to
    assert {"known", "notes", "violated", "undecided", "stall", "not-applicable"} <= set(there)
    there, led_to = sections(html.write(shop.plan(), shop.verdict(), plain, shop.DECISION))
    assert there == led_to == ["ran", "instances", "faults", "latency", "time", "invariants", "meaning"]


def test_a_proof_says_in_words_what_is_not_told(tmp_path):
    proof = {"point": "after_return", "attempt": None, "recorded": False, "alive": True, "effects": 0}
    fault = shop.fault_findings()[0].model_copy(update={"proof": proof})
    shop.evidence(20).write(tmp_path / "evidence")

    page = Page(html.write(shop.plan(), shop.verdict(faults=(fault,)), tmp_path, shop.DECISION).read_text("utf-8"))

    assert "point after_return attempt not told recorded no alive yes effects 0" in page.text
    assert "None" not in page.text


def test_every_table_has_a_caption_and_scoped_headers(run):
    page, *_ = run
    names = [tag for tag, _ in page.tags]
    assert names.count("table") == names.count("caption") == names.count("thead")
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")


def test_an_id_that_tries_to_be_html_is_shown_and_is_none(run):
    page, *_ = run
    assert (
        'shop-<script>document.title="owned"</script>-"&\N{REPLACEMENT CHARACTER}[31m has the effect ship' in page.text
    )


def test_the_page_says_what_ran_and_what_was_found(run):
    page, verdict, _ = run
    for told in (
        "A promise was broken: 2 of 10 invariants are violated.",
        verdict.claim,
        "harness run demo --seed 7",
        "lost 31 5.2 % accepted, then no instance or no effect (violation)",
        "31 rows against it, 612 examined; 1 is shown here, all are in violations/",
        "over_compensated Nothing is compensated that was not made, and nothing twice. it examined nothing",
        "HOLDS means that, in this one run,",
    ):
        assert told in page.text


def test_a_witness_of_an_instance_that_was_shown_points_at_its_timeline(tmp_path):
    twice = Witness(instance_id="plain-000001", sentence="it broke", row={"instance_id": "plain-000001"})
    made = shop.evidence(10)
    made.write(tmp_path / "evidence")
    verdict = shop.verdict(
        tuple(finding(name, Result.VIOLATED, violations=1, witnesses=(twice,)) for name in ("lost", "stuck"))
    )
    text = Page(html.write(shop.plan(), verdict, tmp_path, shop.DECISION).read_text(encoding="utf-8")).text
    assert text.count("The life of plain-000001") == 1
    assert "stands with witness 1" in text


def test_many_witnesses_are_cut_and_the_page_says_so(tmp_path):
    many = [Witness(instance_id=f"i{n}", sentence=f"sentence {n}", row={}) for n in range(180)]
    found = tuple(
        finding(f"rule{n}", Result.VIOLATED, violations=4321, witnesses=many[20 * n : 20 * n + 20]) for n in range(9)
    )
    shop.evidence(1).write(tmp_path / "evidence")
    page = Page(html.write(shop.plan(), shop.verdict(found), tmp_path, shop.DECISION).read_text(encoding="utf-8"))
    assert len([each for each in page.ids if re.fullmatch(r"witness-\d+", each)]) == 60
    assert "4,321 rows against it, 612 examined; 10 are shown here, all are in violations/" in page.text
    assert "4,321 rows against it, 612 examined; 0 are shown here" in page.text
    assert "Its story is not told here, because so many are" in page.text


def test_those_that_nothing_explains_are_told_first(tmp_path):
    known = Witness(instance_id="i1", sentence="known", row={}, explained_by=("result_discarded",))
    other = Witness(instance_id="i2", sentence="unheard of", row={})
    found = (finding("stuck", Result.VIOLATED, violations=2, explained=1, witnesses=(known, other)),)
    shop.evidence(1).write(tmp_path / "evidence")
    text = Page(html.write(shop.plan(), shop.verdict(found), tmp_path, shop.DECISION).read_text("utf-8")).text
    assert text.index("unheard of") < text.index("Cause: no known finding explains it.") < text.index("2 known")


def test_the_page_says_what_the_applications_worker_calls_itself(tmp_path):
    made = shop.evidence(1)
    made.rows["deliveries"] = [{"sdk": "dapr-sdk-go/v1.15.0"}, {"sdk": "<b>worker"}, {"sdk": None}]
    made.write(tmp_path / "evidence")

    text = Page(html.write(shop.plan(), shop.verdict(), tmp_path, shop.DECISION).read_text(encoding="utf-8")).text

    assert "by its own words <b>worker, dapr-sdk-go/v1.15.0" in " ".join(text.split())


def test_a_report_is_never_larger_than_two_megabytes(tmp_path):
    """However much went wrong, and however long what the system says of it is."""
    made = shop.evidence(600)
    for row in made.rows["attempts"]:
        row["detail"] = row["outcome"] = "x" * 3000
    for row in made.rows["effects"]:
        row["attributes"] = "<" * 3000
    made.write(tmp_path / "evidence")
    row = {f"column{n}": '"' * 5000 for n in range(60)}
    names = [row["instance_id"] for row in made.rows["instances"]]
    found = tuple(
        finding(
            f"rule{n}",
            Result.VIOLATED,
            violations=10**6,
            witnesses=tuple(Witness(instance_id=names[20 * n + k], sentence="&" * 9000, row=row) for k in range(20)),
        )
        for n in range(25)
    )
    faults = tuple(one.model_copy(update={"step": n}) for n, one in enumerate(shop.fault_findings() * 400))
    long = shop.verdict(found, faults=faults, reasons=("<" * 9000,) * 40, notes=("z" * 9000,) * 40)
    file = html.write(shop.plan(), long, tmp_path, shop.DECISION)
    assert file.stat().st_size <= html.MOST_BYTES
    assert "The first 200 of 1,600 are shown here" in file.read_text(encoding="utf-8")
    assert "28 more are in verdict.json." in file.read_text(encoding="utf-8")
    assert "… (8,000 characters more)" in file.read_text(encoding="utf-8")


def test_the_longest_recovery_is_not_told_without_those_that_are_unknown(tmp_path):
    kill, *others = shop.fault_findings()
    verdict = shop.verdict(faults=(kill.model_copy(update={"recovery": None}), *others))
    text = Page(html.write(shop.plan(), verdict, tmp_path, shop.DECISION).read_text(encoding="utf-8")).text
    assert "longest recovery 3.51 s not told for 1 of 4" in text


def test_a_load_of_several_workflows_is_shown_workflow_by_workflow(tmp_path):
    plan = shop.starting(shop.plan(), ("order_v1", "parcel_v1"))
    verdict = shop.verdict(
        workflows={"order_v1": {"completed": 358}, "parcel_v1": {"rejected": 114}}, costs={"parcel_v1": shop.COST}
    )

    text = Page(html.write(plan, verdict, tmp_path, shop.DECISION).read_text(encoding="utf-8")).text

    assert "load order_v1 (1 of 3) and parcel_v1 (2 of 3) for 40 s" in text
    assert "mix order_v1: plain 60, scarce 20, refused 20; parcel_v1: plain 60, scarce 20, refused 20" in text
    assert "workflow completed compensated rejected refused all order_v1 358 · · · 358 parcel_v1 · · 114 · 114" in text
    assert "rows payload attempts repeated parcel_v1 114 466 ms 1.28 s 48 1.4 kB 1,590 12" in text


def test_a_run_without_any_evidence_has_a_page_that_says_what_is_missing(tmp_path):
    verdict = shop.verdict(result=Result.UNKNOWN, classes={}, kinds={}, operations={}, faults=())
    text = Page(html.write(shop.plan(), verdict, tmp_path, shop.DECISION).read_text(encoding="utf-8")).text
    assert text.count("Not drawn: evidence/operations.parquet is missing") == 2
    assert text.count("Not drawn: evidence/instances.parquet is missing") == 2
    assert "No fault was applied in this run." in text


def _luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one, other):
    """WCAG 2.2, contrast ratio."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_what_they_stand_on(page):
    shades = {name: shade[page] for name, shade in palette.PALETTE.items()}
    for name in ("text", "muted", "link", "holds", "violated", "unknown", "fault"):
        for ground in ("page", "surface"):
            assert _contrast(shades[name], shades[ground]) >= 4.5, (name, ground)
    for name in ("holds", "violated", "unknown"):
        for text in (name, "text", "muted"):
            assert _contrast(shades[text], shades[f"{name}-soft"]) >= 4.5, (text, name)
    for name in ("blue", "violet", "grey", "amber", "red", "fault"):
        assert _contrast(shades[name], shades["page"]) >= 3, name


def test_no_two_light_colours_are_the_same():
    assert len({shade.light for shade in palette.PALETTE.values()}) == len(palette.PALETTE)


def test_what_stood_still_is_told_and_an_id_from_outside_does_nothing(tmp_path):
    made = shop.evidence(50)
    made.write(tmp_path / "evidence")
    RunDir(tmp_path).save_stall(STALL)

    text = html.write(shop.plan(), shop.verdict(), tmp_path, shop.DECISION).read_text(encoding="utf-8")

    page = Page(text)
    assert "when nothing had moved for 15.2 s: 3 instances had not ended." in page.text
    assert "Workers of sidecar-0: 1 connected." in page.text
    assert "timer 7 has not fired" in page.text
    assert shop.EVIL not in text


def test_known_findings_are_told_with_what_shows_them_and_what_the_gate_makes_of_it(tmp_path):
    shop.evidence(20).write(tmp_path / "evidence")
    found, decision = shop.explained()

    text = Page(html.write(shop.plan(), found, tmp_path, decision).read_text(encoding="utf-8")).text

    assert "It passes. Exit code 0. every violation is explained by a known finding" in text
    assert "result_discarded explains 2 rows" in text
    assert "Cause: a known finding, result_discarded." in text
    assert "2 explained by known findings" in text


def test_latencies_are_told_in_every_window_and_what_never_ended_is_never(tmp_path):
    shop.evidence(20).write(tmp_path / "evidence")
    page = html.write(shop.plan(), shop.verdict(), tmp_path, shop.DECISION).read_text()

    section = page.partition('<section id="latency"')[2].partition("</section>")[0]
    rows = [re.sub(r"<[^>]+>", " ", row).split() for row in section.split("<tr>")]
    told = next(row for row in rows if row[:2] == ["instance", "ended"])
    assert " ".join(told[2:]) == "593 250 ms 2.1 s 5.5 s never 113 900 ms never 480 210 ms 1.28 s"
    assert ["activity", "ship_v1"] in [row[:2] for row in rows]
    assert ["turn", "of", "order_v1"] in [row[:3] for row in rows]
    assert "900 ms, never" in section, "during step 2"
    assert (
        'id="latency"' not in html.write(shop.plan(), shop.verdict(latencies=()), tmp_path, shop.DECISION).read_text()
    ), "a verdict of an earlier version has none"
