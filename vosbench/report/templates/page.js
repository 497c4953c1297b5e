"use strict";
// What the page holds, and how its parts are made. Text goes in as text only, never as markup.

const $ = (id) => document.getElementById(id);
const overview = JSON.parse($("overview").textContent);
/** Runs are told apart by colour and shape together: 8 colours, 4 shapes, 32 pairs. */
const COLOURS = 8, SHAPES = 4;

/** An element; attributes that are functions become listeners, children are nodes or text. */
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function makeSvg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

const percent = (value) => (value == null ? "-" : (100 * value).toFixed(1));
const speed = (value) => (value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString());

const signed = (value) => (value == null ? "-" : `${value < 0 ? "−" : "+"}${Math.abs(100 * value).toFixed(1)}`);
const shapeOf = (run) => (run + Math.floor(run / COLOURS)) % SHAPES;

/** Classes of a run's colour and dashes. */
const seriesClass = (run) => `s${run % COLOURS} d${shapeOf(run)}`;
const swatch = (run) => make("i", { class: `swatch s${run % COLOURS} h${shapeOf(run)}`, "aria-hidden": "true" });

/** A name that may be broken behind the signs that join its words. */
function named(text) {
  const words = text.split(/(?<=[-_+=.,/])(?=\w)/);
  return make("span", {}, ...words.flatMap((word, i) => (i ? [make("wbr"), word] : [word])));
}
const runName = (run) => named(overview.runs[run]);

/** The mark of a run in a plot, in its colour and shape. */
function marker(run, x, y, r, extra = "") {
  const path = [
    `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
    `M${x} ${y - 1.35 * r}l${1.35 * r} ${1.35 * r}l${-1.35 * r} ${1.35 * r}l${-1.35 * r} ${-1.35 * r}z`,
    `M${x} ${y - 1.3 * r}l${1.3 * r} ${2.2 * r}h${-2.6 * r}z`,
  ][shapeOf(run)];
  return makeSvg("path", { class: `s${run % COLOURS} ${extra}`, d: path });
}

/** The line of a legend: colour and dashes of a run. */
function stroke(run) {
  const line = makeSvg("line", { x1: 1, x2: 25, y1: 5, y2: 5, class: `line ${seriesClass(run)}` });
  return makeSvg("svg", { width: 26, height: 10, "aria-hidden": "true" }, line);
}

function legend(box, runs = overview.runs.keys()) {
  box.replaceChildren(...[...runs].map((run) => make("span", {}, stroke(run), runName(run))));
}

function options(select, names, chosen = 0) {
  select.replaceChildren(...names.map((name, value) => make("option", { value }, name)));
  select.selectedIndex = chosen;
}

/** A select of measures: calls `show` with the one chosen, now and on every change. */
function chooseMeasure(select, measures, show) {
  options(select, measures);
  select.parentElement.hidden = measures.length < 2;
  select.addEventListener("change", () => show(measures[select.selectedIndex]));
  show(measures[0]);
}

/** Show a small box of `rows` ([node or text, text]) near a point of the window. */
function showTip(x, y, title, rows) {
  const tip = $("tip");
  const lines = rows.map(([name, value]) => make("div", {}, make("span", {}, ...[name].flat()), value));
  tip.replaceChildren(make("b", {}, title), ...lines);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  const right = x + 14 + box.width > document.documentElement.clientWidth;
  const left = right ? x - 14 - box.width : x + 14;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, y - box.height - 10)}px`;
}

const hideTip = () => { $("tip").hidden = true; };

for (const row of document.querySelectorAll("tr[data-run], details[data-run]")) {
  const name = row.querySelector("th, .name");
  name.prepend(swatch(Number(row.dataset.run)));
}

const links = new Map([...document.querySelectorAll("nav a")].map((a) => [a.hash.slice(1), a]));
const inView = new Set();
/** Mark the first section that stands below the bar, and bring its link into view on a narrow screen. */
const watcher = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) inView.add(target.id);
    else inView.delete(target.id);
  }
  const current = [...links].find(([id]) => inView.has(id));
  if (!current) return;
  for (const [id, link] of links) {
    if (id === current[0]) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  const list = current[1].closest("ul");
  list.scrollLeft = current[1].offsetLeft - (list.clientWidth - current[1].offsetWidth) / 2;
}, { rootMargin: "-56px 0px -72% 0px" });
for (const id of links.keys()) watcher.observe($(id));
