// One sequence: its frames as each tracker sees them, and the curves of its scores.

/** Trackers shown from the start; of more only the best is. */
const SHOWN = 4;

const viewer = {
  number: 0, page: null, images: [], place: 0, timer: 0,
  active: new Set(overview.runs.length <= SHOWN ? overview.runs.keys() : [overview.best ?? 0]),
  view: "prediction", contour: false, object: null, measure: "J", redraw: null,
};

/** Score (0..1) of a run in a frame: of the object chosen, or the mean over all. */
function frameScore(page, run, measure, frame) {
  const curves = page.curves[measure][run];
  const ids = viewer.object == null ? Object.keys(curves) : [viewer.object];
  const known = ids.map((id) => curves[id]?.[frame]).filter((value) => value != null);
  return known.length ? known.reduce((a, b) => a + b) / known.length / 1000 : null;
}

const currentFrame = () => viewer.page.shown[viewer.place];

function openSequence(number) {
  viewer.number = number;
  viewer.page = sequencePage(number);
  viewer.object = null;
  viewer.place = 0;
  const { page } = viewer;
  $("sequence").selectedIndex = number;
  options($("object"), ["mean of all", ...page.objects.map(String)]);
  $("object-label").hidden = page.objects.length < 2;
  const pictures = page.shown.length > 0;
  $("viewer").hidden = !pictures;
  $("no-pictures").hidden = pictures;
  $("no-pictures").textContent = overview.pictures.some(Boolean)
    ? "This report holds no pictures of this sequence." : "This report holds no pictures.";
  $("slider").max = Math.max(0, page.shown.length - 1);
  $("error-chip").hidden = $("contour-chip").hidden = !page.annotation?.some(Boolean);
  $("curve-box").hidden = !page.curves.J.some((curves) => Object.keys(curves).length);
  viewer.images = page.shown.map(() => null);
  if (pictures) showPlace(0);
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
  showPictures();
  markCurve?.(frame);
}

async function showPictures() {
  const { page, place, images } = viewer;
  images[place] ??= loadPicture(page, place);
  const image = await images[place];
  if (viewer.page !== page || viewer.place !== place) return;
  for (const figure of $("pictures").children) {
    const run = Number(figure.dataset.run);
    paint(figure.querySelector("canvas"), page, image, place, run, viewer.view, viewer.contour);
    const [j, f] = ["J", "F"].map((m) => frameScore(page, run, m, currentFrame()));
    const given = page.predictions[run][place] != null;
    const scores = j == null ? (given ? "not scored" : "no mask") : `J ${percent(j)}   F ${percent(f)}`;
    figure.querySelector(".value").textContent = scores;
    const name = `${overview.runs[run]}, ${viewer.view}, ${page.name}, frame ${page.frames[currentFrame()]}, ${scores}`;
    figure.querySelector("canvas").setAttribute("aria-label", name);
  }
  $("error-legend").hidden = viewer.view !== "error";
  images[place + 1] ??= place + 1 < page.shown.length ? loadPicture(page, place + 1) : null;
}

function layOut() {
  // What stands in every picture alike is shown once.
  const runs = viewer.view === "annotation" || viewer.view === "frame" ? [[...viewer.active][0]] : viewer.active;
  const figures = [...runs].sort((a, b) => a - b).map((run) => make("figure", { "data-run": run },
    make("canvas", { role: "img" }),
    make("figcaption", {}, make("span", {}, swatch(run), overview.runs[run]), make("span", { class: "value" }))));
  $("pictures").replaceChildren(...figures);
}

let markCurve = null;

function drawCurves(width, height) {
  const { page, measure } = viewer;
  legend($("curve-legend"), [...viewer.active].sort((a, b) => a - b));
  const count = page.frames.length;
  const xs = page.frames.map((_, i) => i);
  const lines = overview.runs.flatMap((_, run) => (viewer.active.has(run)
    ? [{ run, values: xs.map((i) => frameScore(page, run, measure, i)) }] : []));
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
      if (page.shown.length) markCurve(currentFrame());
      else mark.remove();
    },
  });
}

/** Show the picture nearest to a frame. */
function pickFrame(frame) {
  const { shown } = viewer.page;
  if (!shown.length) return;
  const distance = (i) => Math.abs(shown[i] - frame);
  showPlace(shown.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0));
}

/** From a table or a card: open a sequence, at a frame (its name), with a tracker shown. */
function openFrame(number, frame = null, run = null) {
  if (run != null && !viewer.active.has(run)) {
    const box = $("trackers").querySelector(`[value="${run}"]`);
    box.checked = true;
    viewer.active.add(run);
    layOut();
  }
  openSequence(number);
  if (frame != null) pickFrame(viewer.page.frames.indexOf(frame));
  $("frames").scrollIntoView();
  (viewer.page.shown.length ? $("slider") : $("sequence")).focus({ preventScroll: true });
}

function stop() {
  clearInterval(viewer.timer);
  viewer.timer = 0;
  fill($("play"), { "aria-label": "Play" }, []).textContent = "▶";
}

function play() {
  fill($("play"), { "aria-label": "Pause" }, []).textContent = "❚❚";
  viewer.timer = setInterval(() => showPlace((viewer.place + 1) % viewer.page.shown.length), 160);
}

function setUpViewer() {
  options($("sequence"), overview.sequences);
  $("sequence").addEventListener("change", () => openSequence($("sequence").selectedIndex));
  $("object").addEventListener("change", () => {
    const at = $("object").selectedIndex;
    viewer.object = at ? viewer.page.objects[at - 1] : null;
    viewer.redraw();
    if (viewer.page.shown.length) showPictures();
  });
  overview.runs.forEach((name, run) => {
    const box = make("input", { type: "checkbox", value: run, checked: viewer.active.has(run) });
    box.addEventListener("change", () => {
      if (box.checked) viewer.active.add(run);
      else viewer.active.delete(run);
      if (!viewer.active.size) {
        viewer.active.add(run);
        box.checked = true;
      }
      layOut();
      viewer.redraw();
      if (viewer.page.shown.length) showPictures();
    });
    $("trackers").append(make("label", { class: `s${run % COLOURS}` }, box, make("span", {}, swatch(run), name)));
  });
  $("trackers").hidden = overview.runs.length < 2;
  const contour = $("contour-chip").querySelector("input");
  contour.addEventListener("change", () => { viewer.contour = contour.checked; showPictures(); });
  for (const radio of document.querySelectorAll("[name=view]")) {
    radio.addEventListener("change", () => { viewer.view = radio.value; layOut(); showPictures(); });
  }
  $("slider").addEventListener("input", () => { stop(); showPlace(Number($("slider").value)); });
  $("previous").addEventListener("click", () => { stop(); showPlace(viewer.place - 1); });
  $("next").addEventListener("click", () => { stop(); showPlace(viewer.place + 1); });
  $("play").addEventListener("click", () => (viewer.timer ? stop() : play()));
  layOut();
  viewer.page = sequencePage(0);
  viewer.redraw = drawn($("curve"), drawCurves);
  options($("curve-measure"), ["J", "F"]);
  $("curve-measure").addEventListener("change", () => {
    viewer.measure = ["J", "F"][$("curve-measure").selectedIndex];
    viewer.redraw();
  });
  openSequence(0);
}

setUpViewer();
