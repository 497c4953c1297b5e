// Label maps from their runs, and pictures painted with them. Colours are those of `vosbench show`.

const VOID = 255;
const COLOUR = { missed: [0, 114, 178], false: [230, 159, 0], confused: [204, 121, 167], hit: [255, 255, 255] };

/** The DAVIS palette: the bits of an id dealt out to red, green and blue, highest first. */
const PALETTE = Array.from({ length: 256 }, (_, id) => [0, 1, 2].map((channel) => {
  let value = 0;
  for (let step = 0; step < 3; step++) value |= ((id >> (3 * step + channel)) & 1) << (7 - step);
  return value;
}));
const BRIGHT = PALETTE.map((colour) => colour.map((v) => Math.round((v * 255) / Math.max(...colour, 1))));

/** Labels of `count` pixels from base64 of runs: a byte of label, then the length as LEB128. */
function unpackLabels(text, count) {
  const bytes = atob(text);
  const labels = new Uint8Array(count);
  for (let at = 0, start = 0; at < bytes.length;) {
    const label = bytes.charCodeAt(at++);
    let length = 0, shift = 0, byte;
    do {
      byte = bytes.charCodeAt(at++);
      length |= (byte & 127) << shift;
      shift += 7;
    } while (byte & 128);
    labels.fill(label, start, start + length);
    start += length;
  }
  return labels;
}

/** Call `each(i)` for the object pixels along a change of label. */
function eachEdge(labels, width, height, each) {
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const label = labels[i];
      if (label === 0 || label === VOID) continue;
      if ((x > 0 && labels[i - 1] !== label) || (x < width - 1 && labels[i + 1] !== label)
        || (y > 0 && labels[i - width] !== label) || (y < height - 1 && labels[i + width] !== label)) each(i);
    }
  }
}

function mix(pixels, i, colour, alpha) {
  for (let c = 0; c < 3; c++) pixels[4 * i + c] += alpha * (colour[c] - pixels[4 * i + c]);
}

function tint(pixels, labels, width, height) {
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== VOID) mix(pixels, i, PALETTE[labels[i]], 0.5);
  }
  eachEdge(labels, width, height, (i) => mix(pixels, i, BRIGHT[labels[i]], 1));
}

function outline(pixels, labels, width, height) {
  eachEdge(labels, width, height, (i) => mix(pixels, i, [255, 255, 255], 1));
}

/** Grey frame; object missed, object where there is none, one taken for another; void is not judged. */
function showErrors(pixels, truth, answer) {
  for (let i = 0; i < truth.length; i++) {
    const p = 4 * i;
    const grey = 0.45 * (0.299 * pixels[p] + 0.587 * pixels[p + 1] + 0.114 * pixels[p + 2]);
    pixels[p] = pixels[p + 1] = pixels[p + 2] = grey;
    const right = truth[i], given = answer[i];
    if (right === VOID || (right === 0 && given === 0)) continue;
    if (right === given) mix(pixels, i, COLOUR.hit, 0.3);
    else mix(pixels, i, given === 0 ? COLOUR.missed : right === 0 ? COLOUR.false : COLOUR.confused, 0.8);
  }
}

/** Paint picture `place` of a sequence's page, as run `run` sees it.
 *
 * view: "prediction", "error", "annotation" or "frame"; contour: the annotation's outline besides.
 */
function paint(canvas, page, image, place, run, view, contour = false) {
  const [height, width] = page.size;
  if (canvas.width !== width || canvas.height !== height) fill(canvas, { width, height }, []);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, width, height);
  const unpack = (text) => (text == null ? null : unpackLabels(text, width * height));
  const answer = view === "prediction" || view === "error" ? unpack(page.predictions[run][place]) : null;
  const truth = view === "error" || view === "annotation" || contour ? unpack(page.annotation[place]) : null;
  const data = context.getImageData(0, 0, width, height);
  if (view === "prediction" && answer) tint(data.data, answer, width, height);
  if (view === "annotation" && truth) tint(data.data, truth, width, height);
  if (view === "error" && truth && answer) showErrors(data.data, truth, answer);
  if (contour && truth && view !== "annotation") outline(data.data, truth, width, height);
  context.putImageData(data, 0, 0);
}

/** The picture at `place`, decoded. */
async function loadPicture(page, place) {
  const image = new Image();
  image.src = page.images[place];
  await image.decode();
  return image;
}
