// Accuracy against speed, and scores over the length of the video.

/** Axis of powers of ten. */
function logarithmic(low, high, label) {
  const [from, to] = [Math.log10(low), Math.log10(high)];
  const powers = [];
  for (let k = Math.ceil(from); k <= to; k++) powers.push(10 ** k);
  const marks = powers.length > 1 ? powers : [...powers, ...powers.flatMap((p) => [p / 5, p / 2, 2 * p, 5 * p])]
    .filter((v) => v >= low && v <= high).sort((a, b) => a - b);
  const at = (value) => (Math.log10(value) - from) / (to - from || 1);
  return { at, ticks: marks, text: (v) => String(Number(v.toPrecision(2))), label };
}

function plane(width, height, points, measure) {
  const speeds = points.map((p) => p.fps);
  const scores = points.map((p) => 100 * p.score);
  const x = logarithmic(Math.min(...speeds) / 2.2, Math.max(...speeds) * 2.2, "frames per second");
  const low = Math.min(...scores), high = Math.max(...scores), pad = Math.max(2, 0.12 * (high - low));
  const y = linear(Math.max(0, low - pad), Math.min(100, high + pad), 5, `${measure} (%)`);
  const label = `${measure} against frames per second, ${points.length} methods; the table of results has the values`;
  const plot = axes(width, height, label, x, y);
  plot.svg.setAttribute("role", "group");
  const at = points.map((p) => [plot.px(p.fps), plot.py(100 * p.score)]);
  const front = at.filter((_, i) => points[i].front).sort((a, b) => a[0] - b[0]);
  plot.svg.append(makeSvg("polyline", { class: "front", points: front.map((p) => p.join(",")).join(" ") }));
  const labels = makeSvg("g", { "aria-hidden": "true" });
  plot.svg.append(labels);
  points.forEach((point, i) => plot.svg.append(planePoint(point, at[i], measure)));
  requestAnimationFrame(() => placeLabels(labels, points, at, width - 4, plot.base));
  return plot.svg;
}

function planePoint(point, [cx, cy], measure) {
  const shape = point.run == null
    ? makeSvg("rect", { class: "other-point", x: cx - 3, y: cy - 3, width: 6, height: 6 })
    : marker(point.run, cx, cy, 5, point.shared ? "own-point hollow" : "own-point");
  const value = `${measure} ${percent(point.score)}, ${speed(point.fps)} frames per second`;
  const show = () => {
    const box = shape.getBoundingClientRect();
    const remark = point.run == null ? "published, other hardware" : point.shared ? "run here, speed not comparable" : "run here";
    const rows = [[measure, percent(point.score)], ["FPS", speed(point.fps)], [remark, ""]];
    showTip(box.right, box.top, point.name, rows);
  };
  return makeSvg("g", { tabindex: 0, role: "img", "aria-label": `${point.name}: ${value}`,
    pointerenter: show, pointerleave: hideTip, focus: show, blur: hideTip },
  makeSvg("circle", { cx, cy, r: 12, fill: "transparent" }), shape);
}

/** Names beside their points, own runs first, each where it covers least. One that would cover others
 * is left out: the pointer shows it, and the legend has the own runs. */
function placeLabels(group, points, at, right, base) {
  const taken = at.map(([x, y]) => [x - 5, y - 5, x + 5, y + 5]);
  const order = points.map((_, i) => i).sort((a, b) =>
    (points[a].run == null) - (points[b].run == null) || points[b].front - points[a].front || at[a][1] - at[b][1]);
  const directions = [[1, 0], [0, -1], [0, 1], [-1, 0], [1, -1], [1, 1], [-1, -1], [-1, 1]];
  for (const i of order) {
    const own = points[i].run != null;
    const text = makeSvg("text", { class: own ? "label own" : "label" }, points[i].name);
    group.append(text);
    const width = text.getComputedTextLength(), height = 13;
    let best = null;
    for (const distance of [8, 15, 24]) {
      for (const [dx, dy] of directions) {
        const left = at[i][0] + dx * distance + ((dx - 1) / 2) * width;
        const top = at[i][1] + dy * distance + ((dy - 1) / 2) * height;
        const box = [left, top, left + width, top + height];
        const covered = taken.reduce((sum, other, k) => sum + (k === i ? 0 : overlap(box, other)), 0);
        const outside = width * height - overlap(box, [MARGIN.left, 0, right, base]);
        // A name about as near to another point as to its own is read as that one's.
        const near = distanceTo(box, at[i]) + 4;
        const misread = at.some((point, k) => k !== i && distanceTo(box, point) <= near);
        const cost = 3 * covered + 6 * outside + 2 * distance + 60 * misread;
        const clean = covered + outside < 30 && (own || !misread);
        if (!best || cost < best.cost) best = { cost, box, distance, clean };
      }
    }
    if (!best.clean) {
      text.remove();
      continue;
    }
    taken.push(best.box);
    fill(text, { x: best.box[0], y: best.box[3] - 3 }, []);
    if (best.distance > 8) {
      const x = Math.max(best.box[0], Math.min(best.box[2], at[i][0]));
      const y = Math.max(best.box[1], Math.min(best.box[3], at[i][1]));
      group.append(makeSvg("line", { class: "leader", x1: at[i][0], y1: at[i][1], x2: x, y2: y }));
    }
  }
}

function distanceTo(box, [x, y]) {
  return Math.hypot(Math.max(box[0] - x, 0, x - box[2]), Math.max(box[1] - y, 0, y - box[3]));
}

function overlap(a, b) {
  const width = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const height = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(0, width) * Math.max(0, height);
}

function showPlane() {
  const known = Object.keys(overview.plane).filter((m) => overview.plane[m].length);
  $("speed").hidden = !known.length;
  if (!known.length) return;
  let measure = known[0];
  const redraw = drawn($("plane"), (width, height) => plane(width, height, overview.plane[measure], measure));
  chooseMeasure($("plane-measure"), known, (chosen) => { measure = chosen; redraw(); });
  $("plane-legend").replaceChildren(...overview.runs.map((name, run) => make("span", {}, swatch(run), named(name))));
  if (overview.plane[measure].every((p) => p.run != null)) return;
  const square = makeSvg("rect", { class: "other-point", x: 3, y: 3, width: 6, height: 6 });
  const key = makeSvg("svg", { width: 12, height: 12, "aria-hidden": "true" }, square);
  $("plane-legend").append(make("span", {}, key, "published, other hardware"));
}

function showDecay() {
  let measure = Object.keys(overview.time)[0];
  const redraw = drawn($("decay"), (width, height) => {
    const lines = overview.time[measure].flatMap((values, run) => (values ? [{ run, values }] : []));
    const bins = lines[0].values.length;
    const all = lines.flatMap(({ values }) => values).filter((v) => v != null).map((v) => 100 * v);
    const low = 10 * Math.floor(Math.min(...all) / 10), high = 10 * Math.ceil(Math.max(...all) / 10);
    const share = (value) => `${Math.round(100 * value)} %`;
    return lineChart(width, height, {
      label: `${measure} over the length of the video, a line for each run`,
      xs: Array.from({ length: bins }, (_, i) => (i + 0.5) / bins),
      x: linear(0, 1, width < 500 ? 4 : 5, "time, first to last frame", share),
      y: linear(low, high === low ? low + 10 : high, 5, `${measure} (%)`),
      lines,
      title: (i) => `${measure} at ${share((i + 0.5) / bins)} of the video`,
    });
  });
  chooseMeasure($("time-measure"), Object.keys(overview.time), (chosen) => { measure = chosen; redraw(); });
  legend($("decay-legend"));
}

function setUpPlots() {
  if (!Object.keys(overview.heat).length) return;
  showPlane();
  showDecay();
}
