// One sequence: its frames as each tracker sees them, and the curves of its scores.

/** Trackers shown from the start; of more only the best is. */
const SHOWN = 12;
const NARROWEST = 160;

const viewer = {
  number: 0, page: null, place: 0, timer: 0,
  active: new Set(overview.runs.length <= SHOWN ? overview.runs.keys() : [overview.best ?? 0]),
  view: "fill", contour: false, opacity: 0.4, object: null, measure: "J", columns: 0, width: 0, redraw: null,
};

const activeRuns = () => [...viewer.active].sort((a, b) => a - b);

/** Score (0..1) of a run in a frame: of the object chosen, or the mean over all. */
function frameScore(page, run, measure, frame) {
  const curves = page.curves[measure][run];
  const ids = viewer.object == null ? Object.keys(curves) : [viewer.object];
  const known = ids.map((id) => curves[id]?.[frame]).filter((value) => value != null);
  return known.length ? known.reduce((a, b) => a + b) / known.length / 1000 : null;
}

const currentFrame = () => viewer.page.shown[viewer.place];

/** The picture where `runs` differ most, or where the only one is worst; the first if none is scored. */
function tellingPlace(page, runs) {
  let best = 0, most = -Infinity;
  page.shown.forEach((frame, place) => {
    const values = runs.map((run) => frameScore(page, run, "J", frame)).filter((v) => v != null);
    if (!values.length) return;
    const range = Math.max(...values) - Math.min(...values);
    const worth = range || (Math.min(...values) - 1) * -1e-3;
    if (worth > most) [best, most] = [place, worth];
  });
  return best;
}

async function openSequence(number, frame = null) {
  viewer.number = number;
  $("sequence").selectedIndex = number;
  let page;
  try {
    page = await sequencePage(number);
  } catch (error) {
    $("viewer").hidden = true;
    $("no-pictures").hidden = false;
    $("no-pictures").textContent = `${overview.sequences[number]}: ${error.message}`;
    return;
  }
  if (viewer.number !== number) return;
  viewer.page = page;
  if (!page.objects.includes(viewer.object)) viewer.object = null;
  showObjects();
  const pictures = page.shown.length > 0;
  $("viewer").hidden = $("player").hidden = !pictures;
  $("no-pictures").hidden = pictures;
  $("no-pictures").textContent = overview.pictures.some(Boolean)
    ? "This report holds no pictures of this sequence." : "This report holds no pictures.";
  $("slider").max = Math.max(0, page.shown.length - 1);
  for (const button of document.querySelectorAll("[data-needs=annotation]")) button.hidden = !page.annotated;
  if (!page.annotated && ["error", "annotation"].includes(viewer.view)) chooseView("fill");
  $("curve-box").hidden = !page.curves.J.some((curves) => Object.keys(curves).length);
  layOut();
  const at = frame == null ? -1 : page.frames.indexOf(frame);
  if (pictures) await (at < 0 ? showPlace(tellingPlace(page, activeRuns())) : pickFrame(at));
  else stop();
  viewer.redraw();
}

/** Go to picture `place`: slider, pictures and the mark in the curves. */
function showPlace(place) {
  const { page } = viewer;
  viewer.place = Math.max(0, Math.min(page.shown.length - 1, place));
  const frame = currentFrame();
  const slider = $("slider");
  slider.value = viewer.place;
  const text = `frame ${page.frames[frame]}, ${frame + 1} of ${page.frames.length}`;
  slider.setAttribute("aria-valuetext", text);
  $("position").textContent = text;
  markCurve?.(frame);
  writeLink();
  return showPictures();
}

async function showPictures() {
  const { page, place } = viewer;
  if (!page?.shown.length) return;
  const picture = await loadPicture(page, place);
  if (viewer.page !== page || viewer.place !== place) return;
  const { view, contour, opacity, object } = viewer;
  const scores = (run) => {
    const [j, f] = ["J", "F"].map((m) => frameScore(page, run, m, currentFrame()));
    if (j != null) return `J ${percent(j)}   F ${percent(f)}`;
    return picture.maps[run + 1] ? "not scored" : "no mask";
  };
  for (const figure of $("pictures").children) {
    const run = Number(figure.dataset.run);
    const difference = view === "difference";
    const against = difference ? pair.b : null;
    const canvas = figure.querySelector("canvas");
    paint(canvas, page, picture, { view, run: difference ? pair.a : run, against, contour, opacity, object });
    const single = view === "annotation" || view === "frame";
    figure.querySelector(".value").textContent = single ? "" : difference
      ? `J ${percent(frameScore(page, pair.a, "J", currentFrame()))} : ${percent(frameScore(page, pair.b, "J", currentFrame()))}`
      : scores(run);
    const who = single ? page.name : difference ? `${overview.runs[pair.a]} against ${overview.runs[pair.b]}` : overview.runs[run];
    canvas.setAttribute("aria-label", `${who}, ${view}, ${page.name}, ${$("position").textContent}, ${scores(run)}`);
  }
  $("error-legend").hidden = view !== "error";
  $("difference-legend").hidden = view !== "difference";
  if (place + 1 < page.shown.length) loadPicture(page, place + 1).catch(() => {});
}

/** As few columns as let all pictures stand in the window, or as given. */
function columns(count, width) {
  if (viewer.columns) return Math.min(viewer.columns, count);
  const [tall, wide] = viewer.page?.size ?? [9, 16];
  const most = Math.max(1, Math.min(count, Math.floor(width / NARROWEST)));
  for (let n = 1; n < most; n++) {
    if (Math.ceil(count / n) * ((width / n) * (tall / wide) + 32) < window.innerHeight - 190) return n;
  }
  return most;
}

function layOut() {
  // What stands in every picture alike is shown once.
  const { view } = viewer;
  const difference = view === "difference", single = view === "annotation" || view === "frame";
  const runs = difference ? [pair.a] : single ? activeRuns().slice(0, 1) : activeRuns();
  const title = (run) => (single ? [view === "frame" ? "frame" : "annotation"]
    : difference ? [swatch(pair.a), runName(pair.a), " against ", swatch(pair.b), runName(pair.b)]
      : [swatch(run), runName(run)]);
  const figures = runs.map((run) => make("figure", { "data-run": run },
    make("canvas", { role: "img" }),
    make("figcaption", {}, make("span", {}, ...title(run)), make("span", { class: "value" }))));
  $("pictures").replaceChildren(...figures);
  viewer.width = $("pictures").clientWidth;
  $("pictures").style.setProperty("--columns", columns(runs.length, viewer.width || window.innerWidth));
  $("pictures").classList.toggle("few", runs.length < 3);
  const [tall, wide] = viewer.page?.size ?? [9, 16];
  $("pictures").style.setProperty("--aspect", wide / tall);
}

function refresh() {
  layOut();
  viewer.redraw?.();
  writeLink();
  return showPictures();
}

/** The legend of ids: colours and, where there are several objects, what isolates one. */
function showObjects() {
  const { objects } = viewer.page;
  const buttons = new Map();
  const choose = (id) => {
    viewer.object = id;
    for (const [of, chip] of buttons) chip.setAttribute("aria-pressed", of === id);
  };
  const button = (id, ...children) => {
    const click = () => { choose(viewer.object === id ? null : id); refresh(); };
    buttons.set(id, make("button", { type: "button", class: "chip", click }, ...children));
    return buttons.get(id);
  };
  const key = (id) => {
    const box = make("i", { class: "key", "aria-hidden": "true" });
    box.style.background = css(objectColour(id));
    return box;
  };
  const chips = objects.map((id) => button(id, key(id), `object ${id}`));
  $("objects").replaceChildren(make("span", { class: "heading" }, "Objects"), button(null, "all"), ...chips);
  $("objects").hidden = objects.length < 2;
  choose(viewer.object);
}

function chooseView(view) {
  viewer.view = view;
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", button.dataset.view === view);
  }
}

function chooseRuns(runs) {
  viewer.active = new Set(runs);
  for (const box of $("trackers").querySelectorAll("input")) box.checked = viewer.active.has(Number(box.value));
}

let markCurve = null;

function drawCurves(width, height) {
  const { page, measure } = viewer;
  if (!page) return "";
  legend($("curve-legend"), activeRuns());
  const count = page.frames.length;
  const xs = page.frames.map((_, i) => i);
  const lines = activeRuns().map((run) => ({ run, values: xs.map((i) => frameScore(page, run, measure, i)) }));
  const text = (i) => page.frames[Math.round(i)] ?? "";
  const whole = (axis) => ({ ...axis, ticks: axis.ticks.filter((v) => Number.isInteger(v)) });
  return lineChart(width, height, {
    label: `${measure} by frame of ${page.name}, a line for each tracker chosen`,
    xs,
    x: whole(linear(0, Math.max(1, count - 1), width < 500 ? 4 : 10, "frame", text)),
    y: linear(0, 100, 5, `${measure} (%)`),
    lines,
    title: (i) => `${page.name}, frame ${page.frames[i]}`,
    pick: pickFrame,
    decorate: (plot) => {
      for (const frame of page.shown) {
        const at = plot.px(frame);
        plot.svg.append(makeSvg("line", { class: "tick", x1: at, x2: at, y1: plot.base - 4, y2: plot.base }));
      }
      const mark = makeSvg("line", { id: "mark", class: "cursor", y1: plot.top, y2: plot.base });
      plot.svg.append(mark);
      markCurve = (frame) => fill(mark, { x1: plot.px(frame), x2: plot.px(frame) }, []);
      if (page.shown.length) markCurve(currentFrame() ?? 0);
      else mark.remove();
    },
  });
}

/** Show the picture nearest to a frame. */
function pickFrame(frame) {
  const { shown } = viewer.page;
  if (!shown.length) return null;
  const distance = (i) => Math.abs(shown[i] - frame);
  return showPlace(shown.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
}

/** From a table or a card: open a sequence, at a frame (its name), with a tracker shown. */
async function openFrame(number, frame = null, run = null) {
  if (run != null && !viewer.active.has(run)) chooseRuns([...viewer.active, run]);
  $("frames").scrollIntoView();
  await openSequence(number, frame);
  $("frames").scrollIntoView();
  (viewer.page.shown.length ? $("slider") : $("sequence")).focus({ preventScroll: true });
}

function stop() {
  clearTimeout(viewer.timer);
  viewer.timer = 0;
  fill($("play"), { "aria-label": "Play" }, []).textContent = "▶";
}

/** Show frame after frame; the next waits until this one is painted. */
function play() {
  fill($("play"), { "aria-label": "Pause" }, []).textContent = "❚❚";
  const next = async () => {
    const started = performance.now();
    await showPlace((viewer.place + 1) % viewer.page.shown.length);
    if (viewer.timer) viewer.timer = setTimeout(next, Math.max(0, 120 - (performance.now() - started)));
  };
  viewer.timer = setTimeout(next);
}

const step = (by) => { stop(); showPlace(viewer.place + by); };

function setUpViewer() {
  options($("sequence"), overview.sequences);
  $("sequence").addEventListener("change", () => openSequence($("sequence").selectedIndex));
  overview.runs.forEach((_, run) => {
    const box = make("input", { type: "checkbox", value: run });
    box.checked = viewer.active.has(run);
    box.addEventListener("change", () => {
      if (box.checked) viewer.active.add(run);
      else viewer.active.delete(run);
      if (!viewer.active.size) chooseRuns([run]);
      refresh();
    });
    $("trackers").append(make("label", { class: `s${run % COLOURS}` }, box, make("span", {}, swatch(run), runName(run))));
  });
  const choose = (text, runs) => make("button",
    { type: "button", class: "chip", click: () => { chooseRuns(runs()); refresh(); } }, text);
  if (overview.runs.length > 2) $("trackers").append(choose("all", () => overview.runs.keys()), choose("A and B", () => [pair.a, pair.b]));
  $("trackers").hidden = overview.runs.length < 2;
  const contour = $("contour");
  contour.addEventListener("change", () => { viewer.contour = contour.checked; showPictures(); });
  const opacity = $("opacity");
  opacity.addEventListener("input", () => {
    viewer.opacity = opacity.value / 100;
    if (viewer.view !== "annotation") chooseView("fill");
    refresh();
  });
  for (const button of document.querySelectorAll("[data-view]")) {
    button.addEventListener("click", () => { chooseView(button.dataset.view); refresh(); });
  }
  $("difference-view").hidden = overview.runs.length < 2;
  const choices = ["auto", 1, 2, 3, 4, 6, 8];
  options($("columns"), choices.map(String));
  $("columns").parentElement.hidden = overview.runs.length < 2;
  $("columns").addEventListener("change", () => { viewer.columns = Number(choices[$("columns").selectedIndex]) || 0; refresh(); });
  $("slider").addEventListener("input", () => { stop(); showPlace(Number($("slider").value)); });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("play").addEventListener("click", () => (viewer.timer ? stop() : play()));
  $("telling").addEventListener("click", () => { stop(); showPlace(tellingPlace(viewer.page, activeRuns())); });
  new ResizeObserver(() => {
    if (viewer.page && $("pictures").clientWidth !== viewer.width) { layOut(); showPictures(); }
  }).observe($("pictures"));
  viewer.redraw = drawn($("curve"), drawCurves);
  options($("curve-measure"), ["J", "F"]);
  $("curve-measure").addEventListener("change", () => {
    viewer.measure = ["J", "F"][$("curve-measure").selectedIndex];
    viewer.redraw();
  });
}
