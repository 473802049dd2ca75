"use strict";
(() => {
  const drawing = JSON.parse(document.getElementById("drawing").textContent);
  const darkPage = matchMedia("(prefers-color-scheme: dark)");
  const buttons = [...document.querySelectorAll(".zooms button")];
  let drawn = [];
  let time = null;

  // Bokeh's canvas knows no CSS variables: on a dark page every light colour is exchanged for its dark one.
  function shaded() {
    let text = JSON.stringify(drawing.document);
    if (darkPage.matches && !matchMedia("print").matches) {
      for (const [light, dark] of drawing.shades) text = text.replaceAll(`"${light}"`, `"${dark}"`);
    }
    return JSON.parse(text);
  }

  async function draw() {
    const range = time && [time.start, time.end];
    for (const views of drawn) views.clear();
    const roots = {};
    for (const [name, model] of Object.entries(drawing.models)) {
      document.getElementById(`chart-${name}`).replaceChildren();
      roots[model] = `chart-${name}`;
    }
    if (Object.keys(roots).length === 0) return;
    const item = { docid: "charts", roots, root_ids: Object.keys(roots) };
    drawn = await Bokeh.embed.embed_items({ charts: shaded() }, [item]);
    const charts = Bokeh.documents.at(-1);
    time = charts.get_model_by_name("time");
    time.change.connect(mark);
    if (range) zoom(...range);
    // A finger that drags across a chart wants to scroll the page.
    if (matchMedia("(pointer: coarse)").matches) {
      for (const plot of charts.roots()) plot.toolbar.active_drag = null;
    }
    document.documentElement.dataset.drawn = darkPage.matches ? "dark" : "light";
  }

  function zoom(start, end) {
    time?.setv({ start, end });
  }

  function mark() {
    for (const button of buttons) {
      const here = time.start === Number(button.dataset.from) && time.end === Number(button.dataset.to);
      button.setAttribute("aria-pressed", String(here));
    }
  }

  for (const button of buttons) {
    button.addEventListener("click", () => zoom(Number(button.dataset.from), Number(button.dataset.to)));
  }
  for (const chart of document.querySelectorAll(".chart")) {
    chart.addEventListener("dblclick", () => buttons[0].click());
  }

  // What a link leads to is shown, also when it is inside something folded.
  function unfold() {
    const target = location.hash && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (const folded of target.querySelectorAll("details")) folded.open = true;
    target.scrollIntoView();
  }
  addEventListener("hashchange", unfold);
  addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("article details")) folded.open = true;
  });
  darkPage.addEventListener("change", draw);
  draw().then(unfold);
})();
