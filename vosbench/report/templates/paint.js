// Pictures painted with label maps. Colours of objects are those of `vosbench show`.

const VOID = 255;
const COLOUR = {
  missed: [0, 114, 178], false: [230, 159, 0], confused: [204, 121, 167], hit: [255, 255, 255],
  a: [86, 180, 233], b: [230, 159, 0], both: [204, 121, 167],
};
const objectColour = (id) => overview.colours[(id - 1) % overview.colours.length];
const css = (colour) => `rgb(${colour.join(" ")})`;

function mix(pixels, i, colour, alpha) {
  for (let c = 0; c < 3; c++) pixels[4 * i + c] += alpha * (colour[c] - pixels[4 * i + c]);
}

/** Call `inside(i)` for object pixels near another label, two pixels deep in pictures that are not
 * tiny, and `outside(i)` for other pixels beside them. */
function eachEdge(labels, width, height, inside, outside) {
  const isObject = (label) => label !== 0 && label !== VOID;
  const depth = width < 320 ? 1 : 2;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const label = labels[i];
      const reach = isObject(label) ? depth : 1;
      const left = x >= reach ? labels[i - reach] : label, right = x < width - reach ? labels[i + reach] : label;
      const above = y >= reach ? labels[i - reach * width] : label;
      const below = y < height - reach ? labels[i + reach * width] : label;
      if (left === label && right === label && above === label && below === label) continue;
      if (isObject(label)) inside(i);
      else if (isObject(left) || isObject(right) || isObject(above) || isObject(below)) outside(i);
    }
  }
}

/** Objects tinted, with a bright line along the inside of their contours and a dark one outside. */
function tint(pixels, labels, width, height, opacity) {
  if (opacity) {
    for (let i = 0; i < labels.length; i++) {
      if (labels[i] !== 0 && labels[i] !== VOID) mix(pixels, i, objectColour(labels[i]), opacity);
    }
  }
  eachEdge(labels, width, height,
    (i) => mix(pixels, i, objectColour(labels[i]), 1), (i) => mix(pixels, i, [0, 0, 0], 0.75));
}

function outline(pixels, labels, width, height) {
  eachEdge(labels, width, height,
    (i) => mix(pixels, i, [255, 255, 255], 1), (i) => mix(pixels, i, [0, 0, 0], 0.75));
}

function dim(pixels, i) {
  const p = 4 * i;
  const grey = 0.45 * (0.299 * pixels[p] + 0.587 * pixels[p + 1] + 0.114 * pixels[p + 2]);
  pixels[p] = pixels[p + 1] = pixels[p + 2] = grey;
}

/** Grey frame; object missed, object where there is none, one taken for another; void is not judged. */
function showErrors(pixels, truth, answer) {
  for (let i = 0; i < truth.length; i++) {
    dim(pixels, i);
    const right = truth[i], given = answer[i];
    if (right === VOID || (right === 0 && given === 0)) continue;
    if (right === given) mix(pixels, i, COLOUR.hit, 0.3);
    else mix(pixels, i, given === 0 ? COLOUR.missed : right === 0 ? COLOUR.false : COLOUR.confused, 0.8);
  }
}

/** Grey frame; what only one of two answers has right. Without a truth, what only one of them marks. */
function showDifference(pixels, truth, first, second) {
  for (let i = 0; i < first.length; i++) {
    dim(pixels, i);
    const [a, b] = [first[i], second[i]];
    if (!truth) {
      if (a !== b) mix(pixels, i, b === 0 ? COLOUR.a : a === 0 ? COLOUR.b : COLOUR.both, 0.8);
      continue;
    }
    const right = truth[i];
    if (right === VOID || (a === right && b === right)) continue;
    mix(pixels, i, a === right ? COLOUR.a : b === right ? COLOUR.b : COLOUR.both, 0.8);
  }
}

/** `labels` with the object `id` alone; null stays null. */
function isolate(labels, id) {
  if (!labels || id == null) return labels;
  return labels.map((label) => (label === id || label === VOID ? label : 0));
}

/** Paint a picture.
 *
 * view: "fill", "contour", "error", "difference", "annotation" or "frame"; run: whose answer;
 * against: the other run of a difference; object: the only one that is shown, or null; contour:
 * the annotation's outline besides.
 */
function paint(canvas, { size: [height, width] }, { image, maps }, how) {
  if (canvas.width !== width || canvas.height !== height) fill(canvas, { width, height }, []);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  const map = (number) => isolate(maps[number], how.object);
  const { view, run } = how;
  const truth = view === "frame" ? null : map(0);
  const data = context.getImageData(0, 0, width, height);
  const answer = view === "annotation" || view === "frame" ? null : map(run + 1);
  if (answer && (view === "fill" || view === "contour")) {
    tint(data.data, answer, width, height, view === "fill" ? how.opacity : 0);
  }
  if (view === "annotation" && truth) tint(data.data, truth, width, height, how.opacity);
  if (view === "error" && truth && answer) showErrors(data.data, truth, answer);
  if (view === "difference") {
    const other = map(how.against + 1);
    if (answer && other) showDifference(data.data, truth, answer, other);
  }
  if (how.contour && truth && view !== "annotation") outline(data.data, truth, width, height);
  context.putImageData(data, 0, 0);
  canvas.dataset.painted = "";
}
