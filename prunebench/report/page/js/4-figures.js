// Figures: Vega-Lite charts that read named tables. Rows of the setting and the methods that are chosen are handed in.

const ERRORS = 1; // of Vega's levels of messages

// Vega warns of charts that are as they should be (no rows yet; a legend of one layer alone): nobody can act on it.
const warn = console.warn.bind(console);
console.warn = (first, ...rest) => first === "WARN" || warn(first, ...rest);

const NAMES = "name"; // the column of methods
const SETTINGS_COLUMN = "setting";

// Tables of figures: several figures, and the page's own tables, read one.
const DATASETS = new Map();
function datasetOf(name) {
  if (!DATASETS.has(name)) DATASETS.set(name, new Table(DATA.datasets[name]));
  return DATASETS.get(name);
}

class Figure {
  constructor(about) {
    this.about = about;
    this.section = byId(`figure-${about.id}`);
    this.box = this.section.querySelector(".chart");
    this.tables = about.tables.map((name) => [name, datasetOf(name)]);
    this.stale = true;
    this.seen = false;
    this.width = 0;
    this.table = null;
    const details = this.section.querySelector("details");
    details?.addEventListener("toggle", () => details.open && this.showTable(details));
    this.section.querySelector(".as-shown")?.addEventListener("click", () => this.saveShown());
  }

  get value() {
    return settingName();
  }

  get offered() {
    const { settings, among } = this.about;
    return (!settings.length || settings.includes(this.value)) && (!among || among.includes(this.value));
  }

  chosen(table, all = false) {
    const settings = this.about.settings.length && table.names.includes(SETTINGS_COLUMN) ? table.column(SETTINGS_COLUMN) : null;
    const names = table.names.includes(NAMES) ? table.column(NAMES) : null;
    const kept = table === this.tables[0][1] ? Object.entries(this.about.keep).map(([name, values]) => [table.column(name), new Set(values)]) : [];
    const taken = [];
    for (let i = 0; i < table.rows; i++) {
      if (kept.some(([values, set]) => !set.has(values[i]))) continue;
      if (settings && settings[i] !== this.value) continue;
      if (!all && names && names[i] && !visible(names[i])) continue;
      taken.push(i);
    }
    return taken;
  }

  rows(table) {
    const columns = table.names.map((name) => [name, table.column(name)]);
    return this.chosen(table).map((i) => Object.fromEntries(columns.map(([name, values]) => [name, values[i]])));
  }

  spec() {
    const spec = structuredClone(this.about.spec);
    spec.datasets = Object.fromEntries(this.tables.map(([name, table]) => [name, this.rows(table)]));
    spec.config = { ...spec.config, ...DATA.config[dark() ? "dark" : "light"], background: null };
    if (this.box.clientWidth < PHONE) namesBelow(spec);
    const names = new Set(Object.values(spec.datasets).flatMap((rows) => rows.map((row) => row[NAMES])));
    told(spec, names);
    return fitted(spec, this.box.clientWidth);
  }

  // One drawing after the other: what became stale meanwhile is drawn once more.
  draw() {
    this.turn = (this.turn ?? Promise.resolve()).then(() => (this.stale ? this.drawNow() : null));
    return this.turn;
  }

  async drawNow() {
    this.stale = false;
    this.section.hidden = !this.offered;
    const place = this.about.settings.length ? `figures/${settingId()}/` : "figures/";
    for (const link of this.section.querySelectorAll("[data-file]")) link.setAttribute("href", place + link.dataset.file);
    if (!this.offered) return;
    this.width = this.box.clientWidth;
    const words = this.about.alts[this.value] ?? this.about.alts[""] ?? this.about.title;
    this.section.querySelector(".alt").textContent = words;
    this.box.setAttribute("aria-label", words);
    const spec = this.spec();
    spec.description = words; // Vega labels its drawing so
    const empty = !Object.values(spec.datasets).some((rows) => rows.length);
    this.section.classList.toggle("empty", empty);
    if (empty) return put(this.box, el("p", { class: "note" }, "No method that is shown is in this figure."));
    this.box.style.minHeight = `${this.box.offsetHeight}px`;
    try {
      await this.embed(spec);
      await this.narrow(spec);
    } catch (error) {
      put(this.box, el("p", { class: "note" }, `This figure cannot be drawn: ${error.message}`));
    }
    this.box.style.minHeight = "";
    if (state.lit) this.light(state.lit);
    return stay();
  }

  // Make it narrower until it fits, as long as that helps.
  async narrow(spec) {
    for (let over = this.over, before = Infinity; over > 0 && over < before; over = this.over) {
      before = over;
      await this.embed(narrowed(spec, over));
    }
  }

  // By so many pixels it is wider than its place.
  get over() {
    return Math.ceil((this.box.querySelector("svg")?.getBoundingClientRect().width ?? 0) - this.box.clientWidth);
  }

  async embed(spec) {
    const view = { mode: "vega-lite", actions: false, ast: true, renderer: "svg", defaultStyle: false, tooltip, loader: NOTHING, logLevel: ERRORS };
    this.shown?.finalize();
    this.shown = await vegaEmbed(this.box, spec, view);
    this.shown.view.addEventListener("mouseover", (_, item) => light(item?.datum?.[NAMES] ?? null));
    this.shown.view.addEventListener("mouseout", () => light(null));
  }

  // Vega's elements know what they were drawn from.
  light(lit) {
    for (const mark of this.box.querySelectorAll("svg .mark-line > path, svg .mark-symbol > path, svg .mark-rule > line, svg .mark-area > path, svg .mark-rect > path, svg .mark-text > text")) {
      const item = mark.__data__;
      const name = (Array.isArray(item) ? item[0] : item)?.datum?.[NAMES] ?? item?.mark?.items?.[0]?.datum?.[NAMES];
      if (name) mark.classList.toggle("dim", lit !== null && !matches(name, lit));
    }
  }

  showTable(details) {
    const first = this.tables[0][1];
    if (!this.table) {
      const columns = this.about.columns.filter((column) => column.id !== SETTINGS_COLUMN || !this.about.settings.length);
      const box = details.querySelector(".table");
      this.table = new TableView(box, { id: `figure-${this.about.id}`, title: this.about.title, columns, table: first });
    }
    this.table.choose(this.chosen(first));
  }

  async saveShown() {
    if (!this.shown) return;
    save(`${this.about.id}.svg`, "image/svg+xml", await this.shown.view.toSVG());
  }

  update() {
    this.stale = true;
    const open = this.section.querySelector("details[open]");
    if (this.seen) this.draw();
    if (open) this.showTable(open);
  }
}

// The page loads nothing: what a chart would load is refused.
const NOTHING = { load: () => Promise.reject(new Error("nothing is loaded")), sanitize: () => Promise.reject(new Error("no links")), http: null, file: null };

// Legends tell of the methods that are drawn here and now, not of all that a suite has.
function told(part, names) {
  if (Array.isArray(part)) return part.forEach((each) => told(each, names));
  if (part === null || typeof part !== "object") return undefined;
  if (part.scale?.styled) {
    const { styled, unmodified, ...scale } = part.scale;
    const kept = [...STYLES].filter(([name]) => names.has(name) && !(unmodified && ablationsOf(name).length));
    part.scale = { ...scale, domain: kept.map(([name]) => name), range: kept.map(([, style]) => style[styled]) };
  }
  for (const [key, value] of Object.entries(part)) if (key !== "datasets" && key !== "config") told(value, names);
  return undefined;
}

// On a phone names stand in a legend below, not at the ends of lines: there they would take half of the width.
const PHONE = 620;
const isNames = (layer) => layer.layer?.some(({ mark }) => mark?.type === "text" && mark.align === "left" && mark.xOffset);

function namesBelow(spec) {
  const holder = [spec, spec.spec].find((each) => each?.layer?.some(isNames));
  if (!holder) return;
  holder.layer = holder.layer.filter((layer) => !isNames(layer));
  withLegend(holder);
}

function withLegend(part) {
  if (part === null || typeof part !== "object") return;
  if (["colour", "mark"].includes(part.scale?.styled)) part.legend = { title: "method", symbolOpacity: 1 };
  for (const [key, value] of Object.entries(part)) if (key !== "legend") withLegend(value);
}

// Side by side where there is room, below one another where there is none.
function fitted(spec, width) {
  const holder = panelOf(spec);
  const panels = spec.columns ?? spec.facet?.columns;
  if (width < PHONE) {
    legendBelow(spec);
    wrapped(spec, Math.floor((width - 70) / 6));
  }
  if (!panels && holder) holder.width = Math.max(NARROWEST, Math.min(holder.width, width - 90));
  if (panels) spec.columns = Math.max(1, Math.min(panels, Math.floor((width - 150) / (70 + (holder?.width ?? widest(spec)))) || 1));
  if (spec.concat && spec.columns === 1) for (const leaf of leavesOf(spec)) leaf.width = Math.max(NARROWEST, Math.min(leaf.width, width - 90));
  return spec;
}

// How wide axes and labels are is known only when they are drawn: then what is over is taken off.
function narrowed(spec, over) {
  const holder = panelOf(spec);
  if (spec.columns > 1) spec.columns -= 1;
  else for (const leaf of holder ? [holder] : leavesOf(spec)) leaf.width = Math.max(NARROWEST, leaf.width - over);
  return spec;
}

const NARROWEST = 90;
const leavesOf = (spec) => [spec.concat, spec.vconcat].find(Array.isArray)?.flatMap(leavesOf) ?? (typeof spec.width === "number" ? [spec] : []);
const widest = (spec) => Math.max(180, ...leavesOf(spec).map((leaf) => leaf.width));
const panelOf = (spec) => [spec.spec, spec].find((each) => typeof each?.width === "number");

// Titles of axes and figures in lines of so many characters at most.
function wrapped(part, most) {
  if (part === null || typeof part !== "object") return;
  for (const [key, value] of Object.entries(part)) {
    if ((key === "title" || key === "text" || key === "subtitle") && typeof value === "string" && value.length > most) part[key] = linesOf(value, most);
    else if (key !== "datasets" && key !== "config") wrapped(value, most);
  }
}

function linesOf(text, most) {
  const lines = [""];
  for (const word of text.split(" "))
    if (lines.at(-1).length + word.length < most) lines[lines.length - 1] += `${lines.at(-1) && " "}${word}`;
    else lines.push(word);
  return lines.filter(Boolean);
}

function legendBelow(spec) {
  spec.config.legend = { ...spec.config.legend, orient: "bottom", columns: Math.max(1, Math.floor(byId("main").clientWidth / 210)) };
}

function tooltip(_, event, item, value) {
  const box = byId("tooltip");
  box.hidden = value === null || value === undefined || value === "";
  if (box.hidden) return;
  const lines = typeof value === "object" ? Object.entries(value) : [["", value]];
  put(box, ...lines.map(([name, text]) => el("div", {}, name ? el("b", {}, `${name} `) : null, el("bdi", {}, shown(text)))));
  const place = box.getBoundingClientRect();
  box.style.left = `${Math.min(event.clientX + 14, innerWidth - place.width - 8)}px`;
  box.style.top = `${Math.min(event.clientY + 14, innerHeight - place.height - 8)}px`;
}

let FIGURES = [];

function drawFigures() {
  FIGURES = DATA.figures.map((about) => new Figure(about));
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => entry.isIntersecting && reveal(entry.target)), { rootMargin: "400px" });
  for (const figure of FIGURES) near.observe(figure.box);
  whenIdle(FIGURES);
}

function reveal(box) {
  const figure = FIGURES.find((each) => each.box === box);
  figure.seen = true;
  if (figure.stale) figure.draw();
}

// Draw the rest while nothing else goes on, so that printing has every figure.
function whenIdle(left) {
  const next = left.find((figure) => figure.stale);
  if (!next) return document.body.classList.add("drawn"), stay();
  const later = window.requestIdleCallback ?? ((work) => setTimeout(work, 50));
  later(async () => {
    await next.draw();
    whenIdle(left);
  });
}

function redraw() {
  for (const figure of FIGURES) figure.update();
  document.body.classList.remove("drawn");
  whenIdle(FIGURES);
}
