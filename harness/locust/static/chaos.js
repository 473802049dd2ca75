// The tab "Chaos" of Locust's page, and what its start form says of fields that an open load does not use.
// Locust's tabs can hold only tables of its own, so this draws into a section of ours, beside what React draws.
// Every text comes in as a text node: names and claims are somebody else's.

const EVERY = 1000;
const HERE = new URL("..", import.meta.url);
const NOTES = {
  userCount: "Not used: the load is open. The scenario says when each start is due, and nobody waits for answers.",
  spawnRate: "Not used, as above.",
  host: "Leave it empty: the harness starts the system itself. With a host there is load alone, no fault and no verdict.",
  runTime: "Not used: Duration, in the custom parameters, says how long the load lasts.",
};

function el(tag, attributes = {}, ...children) {
  const svg = ["svg", "g", "path", "line", "rect", "text", "title"].includes(tag);
  const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

const seconds = (value) => (value === null ? "" : `${value.toFixed(1)} s`);
const whole = (value) => Math.round(value).toLocaleString("en");
const counted = (counts) => Object.entries(counts).map(([name, count]) => `${whole(count)} ${name}`).join(", ") || "none";

function table(caption, titles, rows) {
  if (!rows.length) return null;
  return el("table", {},
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((cell) => el("td", {}, cell))))));
}

// --- the timeline -------------------------------------------------------------------------------------

const WIDE = 1000, LEFT = 190, TOP = 14, HIGH = 150, ROW = 22;

function path(moments, x, y, field) {
  return moments.map((each, i) => `${i ? "L" : "M"}${x(each.at).toFixed(1)} ${y(each[field]).toFixed(1)}`).join("");
}

function timeline(live) {
  const end = Math.max(live.duration, live.now ?? 0, ...live.faults.map((each) => each.healed ?? 0)) * 1.02;
  const x = (at) => LEFT + ((WIDE - LEFT - 10) * Math.max(0, at)) / end;
  const most = (...fields) => Math.max(1, ...live.moments.flatMap((each) => fields.map((field) => each[field])));
  const scale = (top) => (value) => TOP + HIGH - (HIGH * value) / top;
  const rate = most("starts", "ends"), held = most("in_flight");
  const keys = [...new Set([
    ...live.plan.flatMap((step) => step.nodes.map((node) => `${step.fault} ${node}`)),
    ...live.faults.map((hit) => `${hit.fault} ${hit.node}`)])];
  const base = TOP + HIGH, height = base + 30 + ROW * keys.length + 10;
  const row = (key) => base + 30 + ROW * keys.indexOf(key);
  const label = (at, y, text, anchor = "end") => el("text", { x: at, y, "text-anchor": anchor }, text);
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800].find((each) => end / each <= 12) ?? 3600;
  const ticks = Array.from({ length: Math.floor(end / step) + 1 }, (_, i) => i * step);
  const drawing = el("svg", { viewBox: `0 0 ${WIDE} ${height}`, role: "img", "aria-label":
    "starts and ends per second, instances in flight, and faults over the seconds since the load began" },
    label(LEFT - 8, TOP + 10, `${rate.toFixed(1)} per s`), label(LEFT - 8, TOP + 26, `${held} in flight`), label(LEFT - 8, base, "0"),
    el("line", { class: "axis", x1: LEFT, x2: WIDE - 10, y1: base, y2: base }),
    ...ticks.map((at) => label(x(at), base + 18, `${at} s`, "middle")));
  if (live.moments.length) {
    drawing.append(
      el("path", { class: "held", d: path(live.moments, x, scale(held), "in_flight") }),
      el("path", { class: "starts", d: path(live.moments, x, scale(rate), "starts") }),
      el("path", { class: "ends", d: path(live.moments, x, scale(rate), "ends") }));
  }
  for (const key of keys) drawing.append(label(LEFT - 8, row(key) + 14, key.length > 28 ? `${key.slice(0, 27)}…` : key));
  for (const step of live.plan) for (const node of step.nodes) {
    drawing.append(el("rect", { class: "planned", x: x(step.at), y: row(`${step.fault} ${node}`) + 2,
      width: Math.max(3, x(step.at + step.hold) - x(step.at)), height: ROW - 6 },
      el("title", {}, `planned: ${step.fault} ${node}, ${step.aim ?? `${step.at.toFixed(1)} s`}, for ${step.hold.toFixed(1)} s`)));
  }
  for (const hit of live.faults) if (hit.applied !== null) {
    const until = hit.healed ?? live.now ?? hit.applied;
    drawing.append(el("rect", { class: `hit ${hit.told === "unfelt" ? "unfelt" : ""}`, x: x(hit.applied),
      y: row(`${hit.fault} ${hit.node}`) + 5, width: Math.max(3, x(until) - x(hit.applied)), height: ROW - 12 },
      el("title", {}, `${hit.fault} ${hit.node}: ${hit.told}`)));
  }
  if (live.now !== null && !live.found) drawing.append(el("line", { class: "now", x1: x(live.now), x2: x(live.now), y1: TOP, y2: height }));
  return drawing;
}

// --- the tab ------------------------------------------------------------------------------------------

const STATES = {
  none: "No run so far. Start one in the form.",
  host: "Load on a host that somebody else runs: there is no fault and no verdict.",
  starting: "The system is coming up. The load begins when it is ready.",
  running: "The run is under way.",
  judging: "The load is over. The run heals, settles, collects its evidence and is judged.",
  failed: "There is no verdict: the harness ended with exit code CODE. What it said is below.",
};

function headline(shown) {
  const found = shown.live?.found;
  if (shown.state !== "judged") return el("h2", {}, STATES[shown.state].replace("CODE", shown.code));
  return el("h2", { class: `result ${found.result}` }, `${found.result}, exit code ${shown.code}`);
}

function links(live) {
  const names = { "report.html": "Report", "summary.md": "Summary", "verdict.json": "Verdict as JSON", "plan.json": "Plan" };
  const offered = Object.keys(names).filter((name) => live.files.includes(name));
  return el("p", { class: "links" }, ...offered.map((name) => el("a", {
    href: new URL(`runs/${encodeURIComponent(live.name)}/${name}`, HERE), target: "_blank", rel: "noopener" }, names[name])));
}

function limit(each) {
  const unit = ` ${each.unit}`;
  return [`safety.${each.name}`, whole(each.value) + unit, `${each.least ? "at least" : "at most"} ${whole(each.limit)}${unit}`];
}

function run(live) {
  const last = live.moments.at(-1), judged = live.found;
  const figures = [
    ["Phase", live.left === null || judged ? live.phase : `${live.phase}, ${whole(live.left)} s left`],
    ["Starts per second", last && !judged ? last.starts.toFixed(1) : "–"],
    ["Ends per second", last && !judged ? last.ends.toFixed(1) : "–"],
    ["In flight", whole(live.in_flight)],
    ["Calls sent, with the canaries'", whole(live.sent)],
    ["Answers", counted(live.answers)],
    ...(live.dropped ? [["Starts dropped: too many calls in flight", whole(live.dropped)]] : []),
    judged ? ["Instances by class, as judged", counted(judged.classes)]
      : ["Ended so far, by the engine's word; not judged", counted(live.ended)],
  ];
  return [
    el("p", {}, el("b", {}, `${live.scenario}, seed ${live.seed}: `), live.claim),
    judged ? el("p", {}, judged.brief) : null,
    links(live),
    el("dl", {}, ...figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
    el("p", { class: "legend" }, el("span", { class: "starts" }, "starts per second"), el("span", { class: "ends" }, "ends per second"),
      el("span", { class: "held" }, "in flight"), el("span", { class: "planned" }, "fault, planned"), el("span", { class: "hit" }, "fault, in force")),
    timeline(live),
    table("Faults so far, in seconds after the load began", ["fault", "on", "planned", "applied", "healed", "newest word"],
      live.faults.map((hit) => [hit.fault, hit.node, seconds(hit.planned), seconds(hit.applied), seconds(hit.healed), hit.told])),
    judged ? null : table("Limits: beyond one of them the run is given up, healed and judged", ["limit", "now", "limit is"], live.limits.map(limit)),
  ];
}

function draw(shown) {
  section.replaceChildren(
    headline(shown),
    ...(shown.live ? run(shown.live) : []).filter((part) => part !== null),
    ...(shown.said.length ? [el("h3", {}, "What the harness says"), el("pre", { tabindex: "0" }, shown.said.join("\n"))] : []));
}

const section = el("section", { id: "chaos", "aria-label": "Chaos" });
let drawn = "";

async function poll() {
  if (section.isConnected && !section.hidden) {
    try {
      const answer = await fetch(new URL("state", HERE));
      const text = await answer.text();
      if (answer.ok && text !== drawn) {
        draw(JSON.parse(text));
        drawn = text;
      }
    } catch {
      section.replaceChildren(el("h2", {}, "Locust does not answer."));
      drawn = "";
    }
  }
  setTimeout(poll, EVERY);
}

// --- its place in the page ----------------------------------------------------------------------------

function place() {
  const tab = document.querySelector("[role=tab][aria-selected=true]");
  const main = document.querySelector("main");
  if (main && main.lastElementChild !== section) main.append(section);  // React appends, too
  section.hidden = tab?.textContent !== "Chaos";
}

function explain() {
  for (const [name, note] of Object.entries(NOTES)) for (const input of document.querySelectorAll(`input[name=${name}]`)) {
    const field = input.closest(".MuiFormControl-root");
    if (!field || field.nextElementSibling?.classList.contains("chaos-note")) continue;
    const told = el("p", { class: "chaos-note", id: `chaos-note-${name}` }, note);
    input.setAttribute("aria-describedby", told.id);
    field.after(told);
  }
  for (const folded of document.querySelectorAll("form button[aria-expanded=false]")) {
    if (folded.textContent !== "Custom parameters" || folded.dataset.chaos) continue;
    folded.dataset.chaos = "opened";  // once: whoever folds it again wants it folded
    folded.click();
  }
}

document.head.append(el("link", { rel: "stylesheet", href: new URL("chaos.css", import.meta.url) }));
new MutationObserver((changes) => {
  if (changes.every((change) => section.contains(change.target))) return;
  place();
  explain();
}).observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["aria-selected"] });
place();
explain();
poll();
