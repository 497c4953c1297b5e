// Axes and line charts in SVG, drawn anew at every size so that type keeps its own.

const MARGIN = { left: 44, right: 14, top: 10, bottom: 40 };

/** Call `draw(width, height)` now and whenever the size of `box` changes; gives the redraw. */
function drawn(box, draw) {
  const redraw = () => {
    if (box.clientWidth && box.clientHeight) box.replaceChildren(draw(box.clientWidth, box.clientHeight));
  };
  new ResizeObserver(redraw).observe(box);
  return redraw;
}

/** Round steps from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

/** Axes with a grid; `x` and `y` are {at: value -> 0..1, ticks, text, label}. */
function axes(width, height, label, x, y) {
  const { left, right, top, bottom } = MARGIN;
  const px = (value) => left + x.at(value) * (width - left - right);
  const py = (value) => height - bottom - y.at(value) * (height - top - bottom);
  const svg = makeSvg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
  for (const value of y.ticks) {
    svg.append(
      makeSvg("line", { class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value) }),
      makeSvg("text", { x: left - 8, y: py(value) + 4, "text-anchor": "end" }, y.text(value)),
    );
  }
  const base = height - bottom;
  svg.append(makeSvg("line", { class: "axis", x1: left, x2: width - right, y1: base, y2: base }));
  for (const value of x.ticks) {
    svg.append(
      makeSvg("line", { class: "axis", x1: px(value), x2: px(value), y1: base, y2: base + 4 }),
      makeSvg("text", { x: px(value), y: base + 17, "text-anchor": "middle" }, x.text(value)),
    );
  }
  svg.append(
    makeSvg("text", { x: (left + width - right) / 2, y: height - 4, "text-anchor": "middle" }, x.label),
    makeSvg("text", { x: 12, y: (top + base) / 2, "text-anchor": "middle",
      transform: `rotate(-90 12 ${(top + base) / 2})` }, y.label),
  );
  return { svg, px, py, top, base };
}

/** An axis of even steps. */
function linear(low, high, count, label, text = (value) => String(Math.round(value * 100) / 100)) {
  const at = (value) => (value - low) / (high - low || 1);
  return { at, ticks: ticks(low, high, count), text, label };
}

/** Lines over a common x; the pointer or the arrow keys read them off.
 *
 * lines: [{run, values}], one value (0..1 or null) for each of `xs`.
 * title: x position -> heading of the reading; pick: called with the x position clicked or entered.
 * decorate: adds marks to the axes.
 */
function lineChart(width, height, { label, xs, x, y, lines, title, pick, decorate }) {
  const plot = axes(width, height, label, x, y);
  decorate?.(plot);
  for (const { run, values } of lines) {
    const points = values.flatMap((v, i) => (v == null ? [] : [[plot.px(xs[i]), plot.py(100 * v)]]));
    const path = points.map(([px, py], i) => `${i ? "L" : "M"}${px.toFixed(1)} ${py.toFixed(1)}`).join("");
    plot.svg.append(makeSvg("path", { class: `line ${seriesClass(run)}`, d: path }));
  }
  const cross = makeSvg("line", { class: "cursor", y1: plot.top, y2: plot.base, visibility: "hidden" });
  const dots = makeSvg("g");
  plot.svg.append(cross, dots);
  let place = -1;
  const read = (next, event) => {
    place = Math.max(0, Math.min(xs.length - 1, next));
    const at = plot.px(xs[place]);
    fill(cross, { x1: at, x2: at, visibility: "visible" }, []);
    const known = lines.filter(({ values }) => values[place] != null);
    dots.replaceChildren(...known.map(
      ({ run, values }) => marker(run, at, plot.py(100 * values[place]), 4, "dot")));
    const box = plot.svg.getBoundingClientRect();
    const rows = lines.map(({ run, values }) => [[swatch(run), runName(run)], percent(values[place])]);
    showTip(box.left + at, event?.clientY ?? box.top + height / 2, title(place), rows);
  };
  const leave = () => {
    cross.setAttribute("visibility", "hidden");
    dots.replaceChildren();
    hideTip();
  };
  const nearest = (event) => {
    const at = event.clientX - plot.svg.getBoundingClientRect().left;
    let best = 0;
    xs.forEach((value, i) => {
      if (Math.abs(plot.px(value) - at) < Math.abs(plot.px(xs[best]) - at)) best = i;
    });
    return best;
  };
  const keys = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity };
  fill(plot.svg, {
    tabindex: 0,
    "aria-roledescription": "line chart, arrow keys read values",
    pointermove: (event) => read(nearest(event), event),
    pointerleave: leave,
    blur: leave,
    click: (event) => pick?.(nearest(event)),
    keydown: (event) => {
      if (event.key in keys) read(place + keys[event.key]);
      else if (event.key === "Enter" && place >= 0) pick?.(place);
      else return;
      event.preventDefault();
    },
  }, []);
  return plot.svg;
}
