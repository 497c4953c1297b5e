// Tables that sort by a button in each heading, and the heat table of sequences.

/** Make every heading of `table` a button. Cells sort by `data-value`; without one they stay last. */
function makeSortable(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = make("button", { type: "button", class: "sort" }, ...heading.childNodes);
    heading.setAttribute("aria-sort", "none");
    heading.replaceChildren(button);
    button.addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const other = first === "ascending" ? "descending" : "ascending";
      sortTable(table, column, heading.getAttribute("aria-sort") === first ? other : first);
    });
  });
}

function sortTable(table, column, direction) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, i) => heading.setAttribute("aria-sort", i === column ? direction : "none"));
  const sign = direction === "ascending" ? 1 : -1;
  const key = (row) => row.cells[column].dataset.value ?? "";
  const rows = [...table.tBodies[0].rows];
  const numeric = rows.every((row) => !Number.isNaN(Number(key(row))));
  rows.sort((a, b) => {
    const [first, second] = [key(a), key(b)];
    if (first === "" || second === "") return (first === "") - (second === "");
    return sign * (numeric ? first - second : first.localeCompare(second, "en", { numeric: true }));
  });
  table.tBodies[0].append(...rows);
}

/** Sort anew as the headings say, after values have changed. */
function keepSorted(table) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const direction = heading.getAttribute("aria-sort");
    if (direction && direction !== "none") sortTable(table, column, direction);
  });
}

function heatColour(value, measure) {
  if (value == null) return "";
  const place = measure.endsWith("Decay") ? 0.5 - value : value;
  const strength = Math.min(1, Math.abs(2 * place - 1));
  return `rgb(var(--${place < 0.5 ? "low" : "high"}) / calc(${strength.toFixed(3)} * var(--heat)))`;
}

/** Largest minus smallest of the values that are known; null for fewer than two. */
function rangeOf(values) {
  const known = values.filter((value) => value != null);
  return known.length > 1 ? Math.max(...known) - Math.min(...known) : null;
}

function heatTable(table) {
  const several = overview.runs.length > 1;
  const head = make("tr", {}, make("th", { scope: "col" }, "Sequence"));
  overview.runs.forEach((_, run) => head.append(make("th", { scope: "col" }, swatch(run), runName(run))));
  if (several) head.append(make("th", { scope: "col" }, "best − worst"));
  const body = make("tbody");
  overview.sequences.forEach((name, number) => {
    const open = make("button", { type: "button", class: "link", click: () => openFrame(number) }, named(name));
    const row = make("tr", { "data-number": number }, make("th", { scope: "row", "data-value": name }, open));
    overview.runs.forEach((_, run) => {
      row.append(make("td", { "data-run": run, click: () => openFrame(number, null, run) }));
    });
    if (several) row.append(make("td"));
    body.append(row);
  });
  const foot = make("tr", {}, make("th", { scope: "row" }, "mean over sequences"));
  overview.runs.forEach(() => foot.append(make("td")));
  if (several) foot.append(make("td"));
  table.append(make("thead", {}, head), body, make("tfoot", {}, foot));
  table.style.setProperty("--runs", overview.runs.length);
  makeSortable(table);
  const rows = [...body.rows];
  const showMeans = (measure) => {
    const shown = rows.flatMap((row, number) => (row.hidden ? [] : [overview.heat[measure][number]]));
    overview.runs.forEach((_, run) => {
      const column = shown.map((values) => values[run]).filter((v) => v != null);
      foot.cells[run + 1].textContent = percent(column.length ? column.reduce((a, b) => a + b) / column.length : null);
    });
  };
  let current = "";
  setUpFilter(rows, () => showMeans(current));
  return (measure) => {
    current = measure;
    const lowIsGood = measure.endsWith("Decay");
    rows.forEach((row, number) => {
      const values = overview.heat[measure][number];
      const printed = values.filter((v) => v != null).map((v) => Number(percent(v)));
      const best = lowIsGood ? Math.min(...printed) : Math.max(...printed);
      values.forEach((value, run) => {
        const cell = row.cells[run + 1];
        const bold = printed.length > 1 && value != null && Number(percent(value)) === best;
        cell.replaceChildren(bold ? make("b", {}, percent(value)) : percent(value));
        cell.dataset.value = value ?? "";
        cell.style.background = heatColour(value, measure);
      });
      if (several) {
        const range = rangeOf(values);
        fill(row.cells[overview.runs.length + 1], { "data-value": range ?? "" }, []).textContent = percent(range);
      }
    });
    showMeans(measure);
    keepSorted(table);
  };
}

/** Rows by a part of the sequence's name and by a tag; the mean is over what is left. */
function setUpFilter(rows, changed) {
  const text = $("filter"), tag = $("tag");
  const known = [...new Set(overview.tags.flat())];
  options(tag, ["all", ...known]);
  tag.parentElement.hidden = known.length < 2;
  text.parentElement.hidden = rows.length < 2;
  const apply = () => {
    const part = text.value.trim().toLowerCase();
    const wanted = tag.selectedIndex > 0 ? known[tag.selectedIndex - 1] : null;
    rows.forEach((row, number) => {
      row.hidden = !overview.sequences[number].toLowerCase().includes(part)
        || (wanted != null && !overview.tags[number].includes(wanted));
    });
    const left = rows.filter((row) => !row.hidden).length;
    $("filtered").textContent = left < rows.length ? `${left} of ${rows.length} sequences` : "";
    changed();
  };
  text.addEventListener("input", apply);
  tag.addEventListener("change", apply);
}

function setUpTables() {
  for (const box of document.querySelectorAll(".scroll")) {
    // Browsers leave a heading alone that stands in the box with one edge only.
    box.addEventListener("focusin", ({ target }) => {
      if (target !== box && target.matches(":focus-visible")) {
        target.scrollIntoView({ block: "nearest", inline: "nearest" });
      }
    });
  }
  document.querySelectorAll("table[data-sortable]").forEach(makeSortable);
  const measures = Object.keys(overview.heat);
  if (measures.length) chooseMeasure($("heat-measure"), measures, heatTable($("heat")));
}
