// One run against another: a point for each sequence, the biggest wins and losses.

const LISTED = 5;
const pair = { a: overview.best ?? 0, b: 0, measure: "J&F", redraw: null };

/** The best of the others, by the mean over sequences. */
function rival(run) {
  const mean = (other) => {
    const values = (overview.heat["J&F"] ?? []).map((row) => row[other]).filter((v) => v != null);
    return values.length ? values.reduce((a, b) => a + b) / values.length : -1;
  };
  return [...overview.runs.keys()].filter((other) => other !== run)
    .reduce((best, other) => (best == null || mean(other) > mean(best) ? other : best), null) ?? run;
}
pair.b = rival(pair.a);

/** Sequences that both are scored on: {number, a, b}, the biggest win of A first. */
function pairScores() {
  return overview.heat[pair.measure].map((row, number) => ({ number, a: row[pair.a], b: row[pair.b] }))
    .filter(({ a, b }) => a != null && b != null)
    .sort((first, second) => (second.a - second.b) - (first.a - first.b));
}

/** Open a sequence with A and B alone, where they differ most. */
function openPair(number) {
  chooseRuns([pair.a, pair.b]);
  if (viewer.view === "annotation" || viewer.view === "frame") chooseView("fill");
  openFrame(number);
}

function scatter(width, height) {
  const points = pairScores().sort((first, second) => first.b - second.b);
  const all = points.flatMap(({ a, b }) => [100 * a, 100 * b]);
  const low = Math.max(-100, 10 * Math.floor(Math.min(...all, 100) / 10)), high = Math.min(100, 10 * Math.ceil(Math.max(...all, low + 10) / 10));
  const plot = axes(width, height, `${pair.measure} of ${overview.runs[pair.a]} against ${overview.runs[pair.b]}, a point for each sequence`,
    linear(low, high, 5, `B: ${pair.measure} (%)`), linear(low, high, 5, `A: ${pair.measure} (%)`));
  plot.svg.append(makeSvg("line", { class: "front", x1: plot.px(low), y1: plot.py(low), x2: plot.px(high), y2: plot.py(high) }));
  const marks = points.map(({ number, a, b }) => {
    const mark = makeSvg("circle", { class: a >= b ? `s${pair.a % COLOURS} own-point` : `s${pair.b % COLOURS} own-point`,
      cx: plot.px(100 * b), cy: plot.py(100 * a), r: 4.5, "fill-opacity": 0.8 });
    const show = () => {
      const box = mark.getBoundingClientRect();
      showTip(box.right, box.top, overview.sequences[number], [["A", percent(a)], ["B", percent(b)], ["A − B", signed(a - b)]]);
    };
    fill(mark, { pointerenter: show, pointerleave: hideTip, click: () => openPair(number) }, []);
    plot.svg.append(mark);
    return { mark, show, number };
  });
  let place = -1;
  const leave = () => { marks[place]?.mark.removeAttribute("stroke"); hideTip(); };
  return fill(plot.svg, {
    tabindex: 0,
    "aria-roledescription": "scatter plot, arrow keys go from sequence to sequence, Enter opens one",
    blur: leave,
    keydown: (event) => {
      const by = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
      if (by) {
        leave();
        place = Math.max(0, Math.min(marks.length - 1, place + by));
        marks[place]?.mark.setAttribute("stroke", "currentColor");
        marks[place]?.show();
      } else if (event.key === "Enter" && place >= 0) openPair(marks[place].number);
      else return;
      event.preventDefault();
    },
  }, []);
}

function pairList(list, entries) {
  list.replaceChildren(...entries.map(({ number, a, b }) => make("li", {},
    make("button", { type: "button", class: "link", click: () => openPair(number) }, named(overview.sequences[number])),
    make("span", { class: "value" }, make("b", {}, signed(a - b)), ` ${percent(a)} : ${percent(b)}`))));
}

function showPair() {
  if (!$("pair-section")) return;
  $("pair-a").selectedIndex = pair.a;
  $("pair-b").selectedIndex = pair.b;
  for (const [side, box] of [["a", $("difference-a")], ["b", $("difference-b")]]) box.replaceChildren(runName(pair[side]));
  const scores = pairScores();
  const wins = scores.filter(({ a, b }) => a > b), losses = scores.filter(({ a, b }) => a < b).reverse();
  pairList($("wins"), wins.slice(0, LISTED));
  pairList($("losses"), losses.slice(0, LISTED));
  $("wins-count").textContent = `A is better in ${wins.length} of ${scores.length} sequences`;
  $("losses-count").textContent = `B is better in ${losses.length} of ${scores.length}`;
  pair.redraw?.();
}

function setUpPair() {
  if (!$("pair-section")) return;
  for (const side of ["a", "b"]) {
    const select = $(`pair-${side}`);
    options(select, overview.runs, pair[side]);
    select.addEventListener("change", () => {
      pair[side] = select.selectedIndex;
      showPair();
      if (viewer.page) refresh();
    });
  }
  $("swap").addEventListener("click", () => { [pair.a, pair.b] = [pair.b, pair.a]; showPair(); if (viewer.page) refresh(); });
  pair.redraw = drawn($("scatter"), scatter);
  chooseMeasure($("pair-measure"), Object.keys(overview.heat), (measure) => { pair.measure = measure; showPair(); });
}
