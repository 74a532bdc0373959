// Tables: sorted by a heading, filtered by a word or by column; only the rows that are seen are elements.

const ROW = 30; // pixels, as the style sheet has it
const AHEAD = 12;

class TableView {
  constructor(box, { id, title, columns, table, note }) {
    Object.assign(this, { box, id, title, columns, table });
    this.sort = null;
    this.filters = new Map();
    this.word = "";
    this.whole = columns.every((column) => column.main !== false);
    this.rows = [...Array(table.rows).keys()];
    this.chosen = this.rows;
    this.build(note);
  }

  get columnsShown() {
    return this.columns.filter((column) => this.whole || column.main !== false);
  }

  build(note) {
    this.count = el("span", { class: "count", role: "status" });
    const search = el("input", { type: "search", placeholder: "search", "aria-label": `search ${this.title}` });
    search.addEventListener("input", () => this.search(search.value));
    const more = el("button", { type: "button", class: "link", "aria-pressed": "false" }, "all columns");
    more.addEventListener("click", () => this.toggleColumns(more));
    const csv = el("button", { type: "button", class: "link", onclick: () => this.csv() }, "CSV");
    csv.title = "The rows and columns that are chosen now";
    const few = this.columns.some((column) => column.main === false);
    this.head = el("thead");
    this.body = el("tbody");
    const grid = el("table", { class: "data", onkeydown: (event) => this.key(event) },
      el("caption", { class: "off-screen" }, this.title), this.head, this.body);
    this.settle = oneStop(grid, "thead button, thead input, thead select, tr[data-row]");
    this.scroller = el("div", { class: "scroller", role: "region", "aria-label": `${this.title}: table` }, grid);
    this.scroller.addEventListener("scroll", () => this.drawRows(), { passive: true });
    put(this.box, el("div", { class: "tools" }, search, this.count, few ? more : null, csv), this.scroller,
      note ? el("p", { class: "note" }, note) : "");
    this.drawHead();
    this.update();
  }

  drawHead() {
    const headings = this.columnsShown.map((column) => this.heading(column));
    const filters = this.columnsShown.map((column) => el("th", { class: "filter" }, this.filterOf(column)));
    put(this.head, el("tr", {}, headings), el("tr", { class: "filters" }, filters));
    this.markSort();
  }

  heading(column) {
    const button = el("button", { type: "button", onclick: () => this.sortBy(column) },
      el("bdi", {}, column.title), el("span", { class: "arrow", "aria-hidden": "true" }));
    return el("th", { scope: "col", class: kindOf(column), "data-column": column.id, title: column.about }, button);
  }

  filterOf(column) {
    const label = `filter by ${column.title}`;
    if (kindOf(column) !== "text") {
      const input = el("input", { type: "text", "aria-label": label, placeholder: "> 90", title: "> 90, <= 5, 10..20, or a number" });
      input.addEventListener("input", () => this.filter(column, input.value && condition(input, column)));
      return input;
    }
    const values = [...new Set(this.table.column(column.id))].filter((value) => value !== null && value !== "").map((value) => shown(value));
    if (values.length > 1 && values.length <= 60) {
      const select = el("select", { "aria-label": label }, el("option", { value: "" }, ""), values.map((value) => el("option", { value }, value)));
      select.addEventListener("change", () => this.filter(column, select.value && ((value) => shown(value) === select.value)));
      return select;
    }
    const input = el("input", { type: "text", "aria-label": label });
    input.addEventListener("input", () => this.filter(column, input.value && containing(input.value)));
    return input;
  }

  filter(column, test) {
    test ? this.filters.set(column.id, test) : this.filters.delete(column.id);
    this.update();
  }

  search(word) {
    this.word = word.trim().toLowerCase();
    this.update();
  }

  toggleColumns(button) {
    this.whole = !this.whole;
    button.setAttribute("aria-pressed", String(this.whole));
    for (const column of this.columns) if (!this.columnsShown.includes(column)) this.filters.delete(column.id);
    this.drawHead();
    this.update();
  }

  // Rising, falling, as it was.
  sortBy(column) {
    if (this.sort?.column !== column) this.sort = { column, down: kindOf(column) !== "text" };
    else if (this.sort.down === (kindOf(column) !== "text")) this.sort.down = !this.sort.down;
    else this.sort = null;
    this.markSort();
    this.update();
  }

  markSort() {
    for (const th of this.head.querySelectorAll("th[data-column]")) {
      const mine = this.sort?.column.id === th.dataset.column;
      mine ? th.setAttribute("aria-sort", this.sort.down ? "descending" : "ascending") : th.removeAttribute("aria-sort");
    }
  }

  // Only these rows are there: those of the setting and the methods that are chosen above.
  choose(rows) {
    this.chosen = rows;
    this.update();
  }

  update() {
    const tests = [...this.filters].map(([id, test]) => [this.table.column(id), test]);
    const words = this.columns.map((column) => [this.table.column(column.id), column]);
    const has = (i) => !this.word || words.some(([values, column]) => shown(values[i], column).toLowerCase().includes(this.word));
    this.rows = this.chosen.filter((i) => tests.every(([values, test]) => test(values[i])) && has(i));
    if (this.sort) {
      const values = this.table.column(this.sort.column.id);
      const sign = this.sort.down ? -1 : 1;
      this.rows = [...this.rows].sort((a, b) => ordered(values[a], values[b], sign));
    }
    const all = this.table.rows;
    this.count.textContent = this.rows.length === all ? `${grouped(all)} rows` : `${grouped(this.rows.length)} of ${grouped(all)} rows`;
    this.scroller.scrollTop = 0;
    this.drawRows(true);
  }

  drawRows(anew = false, limit = null) {
    const first = limit ? 0 : Math.max(0, Math.floor(this.scroller.scrollTop / ROW) - AHEAD);
    const seen = limit ?? Math.ceil((this.scroller.clientHeight || 420) / ROW) + 2 * AHEAD;
    const last = Math.min(this.rows.length, first + seen);
    if (!anew && this.first === first && this.last === last) return;
    Object.assign(this, { first, last });
    const rows = [];
    if (first) rows.push(spacer(first * ROW, this.columnsShown.length));
    for (let k = first; k < last; k++) rows.push(this.drawRow(this.rows[k], k));
    if (last < this.rows.length && !limit) rows.push(spacer((this.rows.length - last) * ROW, this.columnsShown.length));
    if (limit && last < this.rows.length) rows.push(el("tr", {}, el("td", { colspan: this.columnsShown.length }, `… and ${grouped(this.rows.length - last)} more rows: in the page, and in the files beside it`)));
    if (!this.rows.length) rows.push(el("tr", {}, el("td", { colspan: this.columnsShown.length, class: "nothing" }, "no row")));
    const active = this.body.contains(document.activeElement) ? document.activeElement.dataset.row : null;
    put(this.body, ...rows);
    const again = active && (this.body.querySelector(`[data-row="${active}"]`) ?? this.body.querySelector("[data-row]"));
    again?.focus({ preventScroll: true });
    this.settle();
    this.scroller.querySelector("table").setAttribute("aria-rowcount", this.rows.length + 2);
  }

  // How a number is written: of some columns another one says it, row by row.
  formOf(column, i) {
    return column.by ? this.table.column(column.by)[i] : column.form;
  }

  drawRow(i, k) {
    const cells = this.columnsShown.map((column) => el("td", { class: kindOf(column) }, cellOf(this.table.column(column.id)[i], column, this.formOf(column, i))));
    const row = el("tr", { "data-row": i, "aria-rowindex": k + 3 }, cells);
    const name = this.table.names.includes("name") ? this.table.column("name")[i] : null;
    if (name) {
      row.dataset.variant = name;
      row.addEventListener("mouseenter", () => light(name));
      row.addEventListener("mouseleave", () => light(null));
    }
    row.addEventListener("click", () => this.open(i));
    return row;
  }

  key(event) {
    const row = event.target.closest("tr");
    const next = row.dataset.row ? besideRow(row, event.key) ?? (event.key === "ArrowUp" && control(this.head.rows[1], 0)) : this.besideHeading(event);
    const opened = row.dataset.row && event.key === "Enter";
    if (!next && !opened) return;
    event.preventDefault(); // else Enter would press the button of what it opened
    if (next) next.focus();
    else this.open(Number(row.dataset.row));
  }

  // Left and right through headings, down to a filter, down to the rows; Escape leaves a filter.
  besideHeading({ key, target }) {
    const [headings, filters] = this.head.rows;
    const i = target.closest("th").cellIndex;
    const up = control(headings, i);
    if (headings.contains(target)) return { ArrowLeft: control(headings, i - 1), ArrowRight: control(headings, i + 1), ArrowDown: control(filters, i) }[key];
    if (target.matches("select")) return key === "Escape" ? up : null;
    return { Escape: up, ArrowUp: up, ArrowDown: this.body.querySelector("[data-row]") }[key];
  }

  open(i) {
    if (getSelection()?.toString()) return;
    openRow(this.title, this.columns.map((column) => [column, this.table.column(column.id)[i]]), this.table.row(i));
  }

  csv() {
    const lines = [this.columnsShown.map((column) => field(column.id))];
    for (const i of this.rows) lines.push(this.columnsShown.map((column) => field(this.table.column(column.id)[i])));
    save(`${this.id}.csv`, "text/csv", lines.map((line) => `${line.join(",")}\n`).join(""));
  }
}

const control = (row, i) => row.cells[i]?.querySelector("button, input, select");
const besideRow = (row, key) => {
  const next = { ArrowDown: row.nextElementSibling, ArrowUp: row.previousElementSibling }[key];
  return next?.dataset.row === undefined ? null : next;
};

// Of all that can be reached in a table one thing is a stop of the Tab key; arrows lead to the others.
function oneStop(table, selector) {
  const settle = (node) => {
    const all = [...table.querySelectorAll(selector)];
    const stop = node ?? all.find((each) => each.getAttribute("tabindex") === "0") ?? all.find((each) => each.tagName === "TR") ?? all[0];
    for (const each of all) each.tabIndex = each === stop ? 0 : -1;
  };
  table.addEventListener("focusin", (event) => settle(event.target.closest(selector)));
  return settle;
}

// A table whose rows are gone through and opened by keys.
function rowsByKey(table, opened) {
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const next = row && besideRow(row, event.key);
    if (!next && !(opened && event.key === "Enter" && event.target === row)) return;
    event.preventDefault();
    next ? next.focus() : opened(row);
  });
  oneStop(table, "tr[data-row]")();
  return table;
}

const kindOf = (column) => (column.kind === undefined ? "text" : column.kind);

function spacer(height, columns) {
  const cell = el("td", { colspan: columns });
  cell.style.height = `${height}px`;
  return el("tr", { class: "spacer", "aria-hidden": "true" }, cell);
}

function cellOf(value, column, form = column.form) {
  if (column.id === "name" && value) return named(value);
  if (column.id === "verdict" && value) return pill(value);
  if (column.id === "trust") return trusted(value);
  return el("bdi", {}, shown(value, column, form));
}

const pill = (verdict) => el("span", { class: `pill ${verdict.replaceAll(" ", "-")}` }, verdict);

// A row that was rerun and differs is seen as such wherever it stands.
function trusted(words) {
  if (words === "rerun agrees" || words?.startsWith("rerun differs"))
    return el("span", { class: `pill ${words === "rerun agrees" ? "holds" : "fails"}` }, words);
  return el("span", { class: "note" }, words ?? "");
}

const containing = (text) => (value) => shown(value).toLowerCase().includes(text.trim().toLowerCase());

// "> 90", "<= 5", "10..20", "3": a test of numbers; what is none of these marks the field and tests nothing.
function condition(input, column) {
  const text = input.value.replaceAll(MINUS, "-").trim();
  const between = text.match(/^(-?[\d.]+(?:e-?\d+)?)\s*(?:\.\.|–)\s*(-?[\d.]+(?:e-?\d+)?)$/i);
  const beyond = text.match(/^(<=|>=|<|>|=|≤|≥)?\s*(-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?)$/i);
  input.classList.toggle("wrong", !between && !beyond);
  if (between) return (value) => value !== null && value >= Number(between[1]) && value <= Number(between[2]);
  if (!beyond) return null;
  const x = Number(beyond[2]);
  const test = {
    "<": (value) => value < x, ">": (value) => value > x, "<=": (value) => value <= x, "≤": (value) => value <= x,
    ">=": (value) => value >= x, "≥": (value) => value >= x,
  }[beyond[1]] ?? ((value) => Math.abs(value - x) < 1e-9 * Math.max(1, Math.abs(x)) || shown(value, column).replace(MINUS, "-") === beyond[2]);
  return (value) => value !== null && value !== "" && test(value);
}

// Absent values last, whichever way; texts as people order them: s2 before s10.
function ordered(a, b, sign) {
  const [noA, noB] = [a === null || a === "", b === null || b === ""];
  if (noA || noB) return noA - noB;
  if (typeof a === "number" && typeof b === "number") return sign * (a - b);
  return sign * shown(a).localeCompare(shown(b), "en", { numeric: true });
}

// No spreadsheet takes a text for a formula.
function field(value) {
  if (typeof value === "number") return String(value);
  const text = value === null || value === undefined ? "" : typeof value === "object" ? shown(value) : String(value);
  const safe = text.replace(/(^|;)([\s"']*)(?=[=+\-@\uff0b\uff0d\uff1d\uff20])/g, "$1$2'");
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// -- one row, whole ------------------------------------------------------------------------------------

function openRow(title, pairs, row) {
  const dialog = byId("row");
  const listed = pairs.filter(([, value]) => value !== null && value !== "" && value?.length !== 0);
  put(dialog, el("h3", {}, title), el("button", { type: "button", class: "close", "aria-label": "close" }, "×"),
    commandsOf(row).map(([words, command]) => commandBox(words, command)),
    row.check ? el("p", {}, el("a", { href: address("claims", `check-${row.check}`), onclick: () => dialog.close() }, "Link to this check")) : "",
    el("dl", {}, listed.map(([column, value]) => [
      el("dt", { title: column.about }, column.title), el("dd", {}, cellOf(value, column, column.by ? row[column.by] : column.form))])),
    row.runs?.length ? runsOf(row.runs) : "");
  dialog.showModal();
}

function commandBox(words, command) {
  const button = el("button", { type: "button", class: "link" }, "copy");
  button.addEventListener("click", () => copied(command, button));
  return el("div", { class: "command" }, el("p", {}, words), el("pre", {}, el("code", {}, command)), button);
}

// The runs that a check is made of: rows of the table of records, as first row and how many.
function runsOf(spans) {
  const list = el("ul", { class: "runs" });
  const cells = tableOf("cells");
  const count = spans.reduce((sum, value, i) => sum + (i % 2 ? value : 0), 0);
  const details = el("details", {}, el("summary", {}, `Made of ${grouped(count)} runs`), list);
  details.addEventListener("toggle", () => {
    if (list.firstChild || !cells) return;
    for (let i = 0; i < spans.length; i += 2)
      for (let k = spans[i]; k < spans[i] + spans[i + 1]; k++)
        list.append(el("li", {}, el("bdi", {}, cells.column("cell")[k]), ` ${shown(cells.column("accuracy")[k], { form: "points" })} ${cells.column("status")[k] === "finished" ? "" : cells.column("status")[k]}`));
  });
  return details;
}

// What makes a row's cells again. The store of the page is not touched: it goes into one of its own.
function commandsOf(row) {
  if (row.check) return [["Judge it again:", DATA.check.replace("{check}", () => quoted(row.check))]];
  const verified = rowOf(row);
  return [
    row.cell ? ["Run it again:", DATA.rerun.replace("{cell}", () => quoted(row.cell))] : null,
    verified ? ["Run all seeds of its row again, and say whether they agree with what stands here:", DATA.verify.replace("{row}", () => quoted(verified))] : null,
  ].filter(Boolean);
}

// What a row of a leaderboard is called: a cell of its, without the seed.
function rowOf(row) {
  const cells = tableOf("cells");
  const same = (i) => ["setting", "name", "percent"].every((name) => cells.column(name)[i] === row[name]);
  const percent = row.percent ?? null;
  if (!cells || !row.name || percent === null) return null;
  const i = row.cell ? cells.column("cell").indexOf(row.cell) : [...Array(cells.rows).keys()].find(same) ?? -1;
  if (i < 0) return null;
  const seed = new RegExp(`-s${cells.column("seed")[i]}(?=$|\\.)`);
  return `${cells.column("matrix")[i]}::${cells.column("cell")[i].replace(seed, "")}`;
}
