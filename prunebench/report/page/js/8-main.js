// Puts the page together.

const TABLES = new Map(DATA.tables.map((about) => [about.id, { about, table: about.dataset ? datasetOf(about.dataset) : new Table(about.data) }]));
const tableOf = (id) => TABLES.get(id)?.table ?? null;
const columnsOf = (id) => TABLES.get(id)?.about.columns ?? [];

const ALWAYS = matchMedia("(prefers-color-scheme: dark)");
const dark = () => (document.documentElement.dataset.theme ?? (ALWAYS.matches ? "dark" : "light")) === "dark";

function remembered(name, value) {
  try {
    if (value === undefined) return localStorage.getItem(`prunebench-${name}`);
    if (value === null) localStorage.removeItem(`prunebench-${name}`);
    else localStorage.setItem(`prunebench-${name}`, value);
  } catch {} // a browser may keep nothing for files
  return null;
}

function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  byId("theme").textContent = dark() ? "light" : "dark";
  byId("theme").setAttribute("aria-label", `switch to ${dark() ? "light" : "dark"} colours`);
}

function switchTheme() {
  const next = dark() ? "light" : "dark";
  setTheme(next);
  remembered("theme", next);
  redraw();
}

// Tables are built when they come near, and show what is chosen unless they are asked for everything.
class Listing {
  constructor({ about, table }) {
    Object.assign(this, { about, table, view: null, everything: false });
    this.box = byId(`table-${about.id}`);
  }

  build() {
    if (this.view) return;
    this.view = new TableView(this.box.querySelector(".table"), { ...this.about, table: this.table });
    const switchable = this.table.names.some((name) => name === "setting" || name === "name");
    if (switchable) {
      const check = el("input", { type: "checkbox" });
      check.addEventListener("change", () => {
        this.everything = check.checked;
        this.update();
      });
      this.box.querySelector(".tools").append(el("label", {}, check, " all settings and methods"));
    }
    this.update();
  }

  update() {
    if (!this.view) return;
    const settings = this.about.chosen && this.table.names.includes("setting") ? this.table.column("setting") : null;
    const names = this.table.names.includes("name") ? this.table.column("name") : null;
    const taken = [];
    for (let i = 0; i < this.table.rows; i++) {
      const other = settings && settings[i] !== settingName() && DATA.settings.length > 1;
      if (this.everything || !(other || (names && names[i] && !visible(names[i])))) taken.push(i);
    }
    this.view.choose(taken);
  }
}

let LISTINGS = [];

function drawListings() {
  LISTINGS = [...TABLES.values()].filter(({ about }) => byId(`table-${about.id}`)).map((each) => new Listing(each));
  const near = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting) return;
    LISTINGS.find((each) => each.box === entry.target).build();
    stay();
  }), { rootMargin: "300px" });
  for (const listing of LISTINGS) near.observe(listing.box);
}

function drawChoosers() {
  const setting = byId("setting");
  put(setting, ...DATA.settings.map((each, i) => el("option", { value: i }, each.title)));
  setting.addEventListener("change", () => chooseSetting(Number(setting.value)));
  const range = byId("range");
  if (range) put(range, ...DATA.ranges.map((name) => el("option", { value: name }, name)));
  range?.addEventListener("change", () => {
    state.range = range.value;
    adjust();
    changed("range");
  });
  for (const button of document.querySelectorAll("[data-step]"))
    button.addEventListener("click", () => chooseSetting(state.setting + Number(button.dataset.step)));
}

function showChosen() {
  const [setting, range] = [settingHere(), rangeShown()];
  byId("setting").value = String(state.setting);
  for (const option of byId("range")?.options ?? []) option.disabled = !setting?.said.includes(option.value);
  if (byId("range")) byId("range").value = range;
  for (const place of document.querySelectorAll(".setting-name")) place.textContent = setting?.title ?? "";
  for (const place of document.querySelectorAll(".range-name")) place.textContent = range;
  for (const cell of document.querySelectorAll(".best [data-of]")) cell.classList.toggle("chosen", cell.dataset.of === range);
  if (byId("range-points")) byId("range-points").textContent = setting?.ranges[range] ?? "";
}

// A section none of whose figures and tables of finds has anything to say of the setting is not there, and no link leads to it.
function showSections() {
  for (const section of document.querySelectorAll("section[data-figures]")) {
    const parts = [...section.querySelectorAll("[data-settings]")];
    for (const part of parts) part.hidden = !part.dataset.settings.split(" ").includes(settingId());
    const drawn = FIGURES.some((figure) => figure.offered && section.contains(figure.section));
    section.hidden = !drawn && parts.every((part) => part.hidden);
    document.querySelector(`nav a[data-section="${section.id}"]`).parentElement.hidden = section.hidden;
  }
}

// Rows of tables that stand in the page: those of the methods that are shown.
function showRows() {
  for (const row of document.querySelectorAll("table.finds tr[data-variant]")) row.hidden = !visible(row.dataset.variant);
}

function respond(what) {
  if (what === "lit") return lightUp();
  showChosen();
  drawAnswer();
  if (what === "setting") showSections();
  if (what === "methods") showRows();
  if (what !== "range") drawLegend();
  if (what !== "range") FIGURES.forEach((figure) => figure.update());
  LISTINGS.forEach((listing) => listing.update());
  return mark();
}

// What is printed: every figure in the colours of light ground, the first rows of each table, the verdict of each claim.
const PRINTED = 60;
let recoloured = [];

function beforePrint() {
  light(null);
  byId("tooltip").hidden = true;
  for (const listing of LISTINGS) {
    listing.build();
    listing.view.drawRows(true, PRINTED);
  }
  if (!dark()) return;
  const lights = coloursOf(DATA.config.dark, DATA.config.light);
  for (const node of document.querySelectorAll(".chart svg *"))
    for (const name of ["fill", "stroke"]) {
      const colour = node.getAttribute(name);
      if (!lights.has(colour)) continue;
      recoloured.push([node, name, colour]);
      node.setAttribute(name, lights.get(colour));
    }
}

function afterPrint() {
  for (const [node, name, colour] of recoloured.splice(0)) node.setAttribute(name, colour);
  for (const listing of LISTINGS) listing.view?.drawRows(true);
}

// Which colour of one config stands for which of another.
function coloursOf(one, other, pairs = new Map()) {
  for (const [name, value] of Object.entries(one)) {
    if (value !== null && typeof value === "object") coloursOf(value, other[name], pairs);
    else if (typeof value === "string" && value !== other[name]) pairs.set(value, other[name]);
  }
  return pairs;
}

// While a suite runs the file is written again and again: look at it again, where the reader is at rest.
function follow() {
  if (!DATA.follow) return;
  setInterval(() => {
    if (!byId("follow").checked || document.hidden || document.querySelector("dialog[open]")) return;
    history.replaceState({ ...place(), again: true }, "");
    location.reload();
  }, 1000 * DATA.follow);
}

// Mark the link to the section that is read: the last one that begins above the middle of the screen.
function mark() {
  const there = SECTIONS.filter((id) => byId(id).getClientRects().length);
  const end = scrollY > 8 && scrollY + innerHeight >= document.documentElement.scrollHeight - 2;
  const begun = there.filter((id) => byId(id).getBoundingClientRect().top <= innerHeight / 3);
  const here = end ? there.at(-1) : begun.at(-1) ?? there[0];
  for (const link of document.querySelectorAll("nav a[data-section]")) {
    link.classList.toggle("here", link.dataset.section === here);
    link.dataset.section === here ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  }
}

function spy() {
  let waiting = false;
  const soon = () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => ((waiting = false), mark()));
  };
  addEventListener("scroll", soon, { passive: true });
  new ResizeObserver(soon).observe(document.body); // what is drawn moves sections
  mark();
}

// Beside the page where there is room; on a narrow screen in the bar, folded.
const NARROW = matchMedia("(max-width: 56rem)");
function placeLegend() {
  const legend = byId("legend");
  document.querySelector(NARROW.matches ? ".bar > .wide" : ".side").append(legend);
  legend.open = !NARROW.matches;
}

let wide = innerWidth;
function resized() {
  if (innerWidth === wide) return;
  wide = innerWidth;
  redraw();
}

function start() {
  document.documentElement.classList.add("scripted");
  setTheme(remembered("theme"));
  byId("theme").addEventListener("click", switchTheme);
  ALWAYS.addEventListener("change", () => (setTheme(remembered("theme")), redraw()));
  readAddress();
  placeLegend();
  NARROW.addEventListener("change", placeLegend);
  drawChoosers();
  showChosen();
  drawLegend();
  drawAnswer();
  CLAIMS = new Claims();
  drawFigures();
  showSections();
  drawListings();
  for (const name of document.querySelectorAll(".best .named")) name.prepend(badge(name.dataset.variant));
  for (const row of document.querySelectorAll("table.finds tr[data-variant]")) lightOn(row, row.dataset.variant);
  showRows();
  onChange(respond);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  let waiting = 0;
  addEventListener("resize", () => (clearTimeout(waiting), (waiting = setTimeout(resized, 200))));
  document.addEventListener("keydown", keys);
  for (const button of document.querySelectorAll("[data-opens]"))
    button.addEventListener("click", () => byId(button.dataset.opens).showModal());
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest(".close")) && dialog.close());
  document.querySelector(".skip").addEventListener("click", skip);
  follow();
  history.state?.again ? hold(history.state) : arrive();
  spy();
}

// To the answer, without another address: that would be another view.
function skip(event) {
  event.preventDefault();
  document.querySelector("main h2").focus();
}

// Single keys, as readers of long pages know them; never while something is typed.
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const step = { "[": -1, "]": 1 }[event.key];
  if (step) document.querySelector(`[data-step="${step}"]`).click();
  if (event.key === "?") byId("keys").showModal();
}

start();
