// The worst frames as cards, and the objects that were lost for good.

const CARDS = 12;
/** run: whose failures are shown, null for all; at first those of the best tracker. */
const failures = { run: overview.best, count: CARDS };

const waiting = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    waiting.unobserve(target);
    target.draw();
  }
}, { rootMargin: "300px" });

const ofRun = (entry) => failures.run == null || entry.run === failures.run;

function card(entry) {
  const number = overview.sequences.indexOf(entry.sequence);
  const canvas = make("canvas", { "aria-hidden": "true", width: 480, height: 270 });
  canvas.draw = async () => {
    const page = await sequencePage(number);
    const place = page.shown.indexOf(page.frames.indexOf(entry.frame));
    if (place < 0) return;
    const picture = await loadPicture(page, place);
    paint(canvas, page, picture, { view: picture.maps[0] ? "error" : "fill", run: entry.run, opacity: 0.5 });
  };
  const picture = overview.pictures[number];
  if (picture) waiting.observe(canvas);
  const top = make("div", { class: "top" }, named(entry.sequence), make("span", {}, `J ${percent(entry.J)}`));
  const below = make("div", { class: "below" }, swatch(entry.run), runName(entry.run), `, frame ${entry.frame}`);
  const open = () => openFrame(number, entry.frame, entry.run);
  return make("li", {}, make("button", { type: "button", click: open }, ...(picture ? [canvas] : []), top, below));
}

function showWorst() {
  const entries = overview.worst.filter(ofRun);
  $("worst").replaceChildren(...entries.slice(0, failures.count).map(card));
  $("more").hidden = entries.length <= failures.count;
}

function lostTable(table) {
  const headings = ["Sequence", "Tracker", "Object", "From frame", "Frames", "% of the video", "J before"];
  const head = make("tr", {}, ...headings.map((heading) => make("th", { scope: "col" }, heading)));
  table.append(make("thead", {}, head), make("tbody"));
  makeSortable(table);
  table.tHead.rows[0].cells[5].setAttribute("aria-sort", "descending");
  return () => {
    const rows = overview.lost.filter(ofRun).map((entry) => {
      const number = overview.sequences.indexOf(entry.sequence);
      const open = make("button", { type: "button", class: "link",
        click: () => openFrame(number, entry.frame, entry.run) }, named(entry.sequence));
      const cell = (value, text = String(value)) => make("td", { "data-value": value ?? "" }, text);
      return make("tr", {}, make("th", { scope: "row", "data-value": entry.sequence }, open),
        make("td", { "data-value": overview.runs[entry.run] }, swatch(entry.run), runName(entry.run)),
        cell(entry.object), cell(entry.frame), cell(entry.lost),
        cell(entry.share, percent(entry.share)), cell(entry.before, percent(entry.before)));
    });
    table.tBodies[0].replaceChildren(...rows);
    table.parentElement.hidden = !rows.length;
    $("none-lost").hidden = rows.length > 0;
    keepSorted(table);
  };
}

function setUpFailures() {
  if (!$("failures")) return;
  const showLost = lostTable($("lost"));
  const show = () => { showWorst(); showLost(); };
  const select = $("failure-tracker");
  options(select, ["all", ...overview.runs], failures.run == null ? 0 : failures.run + 1);
  select.parentElement.hidden = overview.runs.length < 2;
  select.addEventListener("change", () => {
    failures.run = select.selectedIndex ? select.selectedIndex - 1 : null;
    failures.count = CARDS;
    show();
  });
  $("more").addEventListener("click", () => { failures.count += CARDS; showWorst(); });
  show();
}

