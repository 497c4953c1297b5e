// Arrow keys from anywhere, and addresses that lead to a frame.

/** Elements that use the arrow keys themselves. */
const OWN_ARROWS = "select, textarea, input:not([type=checkbox]), svg[tabindex], summary";

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey) return;
  const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!way || $("viewer").hidden || !viewer.page) return;
  const { target } = event;
  if (target !== $("slider") && target.closest?.(OWN_ARROWS)) return;
  if (target.matches?.(".scroll") && target.scrollWidth > target.clientWidth) return;
  event.preventDefault();
  const box = $("pictures").getBoundingClientRect();
  if (box.bottom < 80 || box.top > window.innerHeight - 80) $("frames").scrollIntoView();
  step(event.shiftKey ? 10 * way : way);
});

/** The address of what is shown: #sequence=...&frame=...&runs=...&runs=...&view=... */
function linkTo() {
  const link = new URLSearchParams();
  link.set("sequence", viewer.page.name);
  if (viewer.page.shown.length) link.set("frame", viewer.page.frames[currentFrame()]);
  if (viewer.active.size < overview.runs.length) activeRuns().forEach((run) => link.append("runs", overview.runs[run]));
  link.set("view", viewer.view);
  if (viewer.object != null) link.set("object", viewer.object);
  if (viewer.view === "difference") {
    link.set("a", overview.runs[pair.a]);
    link.set("b", overview.runs[pair.b]);
  }
  return `#${link}`;
}

let linked = "", linkTimer = 0;

/** Keep the link below the pictures, and the address once a frame has been chosen. */
function writeLink() {
  $("link").href = linkTo();
  if (!linked) return;
  clearTimeout(linkTimer);
  linkTimer = setTimeout(() => { linked = linkTo(); history.replaceState(null, "", linked); }, 300);
}

/** Show what the address says; false if it names no sequence of this page. */
async function followLink() {
  if (window.location.hash === linked && linked) return true;
  const link = new URLSearchParams(window.location.hash.slice(1));
  const number = overview.sequences.indexOf(link.get("sequence"));
  if (number < 0) return false;
  const run = (name) => overview.runs.indexOf(name);
  const runs = link.getAll("runs").map(run).filter((found) => found >= 0);
  if (runs.length) chooseRuns(runs);
  for (const side of ["a", "b"]) if (run(link.get(side)) >= 0) pair[side] = run(link.get(side));
  if (document.querySelector(`[data-view="${CSS.escape(link.get("view") ?? "")}"]`)) chooseView(link.get("view"));
  const object = Number(link.get("object"));
  viewer.object = object || null;
  linked = window.location.hash;
  await openSequence(number, link.get("frame"));
  showPair();
  $("frames").scrollIntoView();
  return true;
}

window.addEventListener("hashchange", followLink);
