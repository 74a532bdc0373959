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
  setting.replaceChildren(...DATA.settings.map((each, i) => el("option", { value: i }, each.title)));
  setting.addEventListener("change", () => {
    state.setting = Number(setting.value);
    changed("setting");
    go();
  });
  const range = byId("range");
  range?.replaceChildren(...DATA.ranges.map((name) => el("option", { value: name }, name)));
  range?.addEventListener("change", () => {
    state.range = range.value;
    adjust();
    changed("range");
  });
  for (const button of document.querySelectorAll("[data-step]"))
    button.addEventListener("click", () => {
      state.setting = (state.setting + Number(button.dataset.step) + DATA.settings.length) % DATA.settings.length;
      changed("setting");
      go();
    });
}

function showChosen() {
  byId("setting").value = String(state.setting);
  if (byId("range")) byId("range").value = state.range;
  const setting = DATA.settings[state.setting];
  for (const place of document.querySelectorAll(".setting-name")) place.textContent = setting?.title ?? "";
  for (const place of document.querySelectorAll(".range-name")) place.textContent = state.range;
  if (byId("range-points")) byId("range-points").textContent = setting?.ranges[state.range] ?? "";
}

function respond(what) {
  if (what === "lit") return lightUp();
  showChosen();
  drawAnswer();
  if (what !== "range") drawLegend();
  if (what !== "range") FIGURES.forEach((figure) => figure.update());
  return LISTINGS.forEach((listing) => listing.update());
}

// What is printed: every figure, the first rows of each table, the verdict of each claim.
const PRINTED = 60;

function beforePrint() {
  for (const listing of LISTINGS) {
    listing.build();
    listing.view.drawRows(true, PRINTED);
  }
}

function afterPrint() {
  for (const listing of LISTINGS) listing.view?.drawRows(true);
}

// While a suite runs the file is written again and again: look at it again, where the reader is at rest.
function follow() {
  if (!DATA.follow) return;
  const box = byId("follow");
  setInterval(() => box.checked && !document.hidden && !byId("row").open && location.reload(), 1000 * DATA.follow);
}

function spy() {
  const links = [...document.querySelectorAll("nav a[data-section]")];
  const seen = new IntersectionObserver((entries) => entries.forEach((entry) => {
    if (!entry.isIntersecting) return;
    for (const link of links) link.classList.toggle("here", link.dataset.section === entry.target.id);
  }), { rootMargin: "-20% 0px -70% 0px" });
  for (const id of SECTIONS) seen.observe(byId(id));
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
  state.range = DATA.range;
  readAddress();
  placeLegend();
  NARROW.addEventListener("change", placeLegend);
  drawChoosers();
  showChosen();
  drawLegend();
  drawAnswer();
  new Claims();
  drawFigures();
  drawListings();
  onChange(respond);
  addEventListener("hashchange", arrive);
  addEventListener("beforeprint", beforePrint);
  addEventListener("afterprint", afterPrint);
  let waiting = 0;
  addEventListener("resize", () => (clearTimeout(waiting), (waiting = setTimeout(resized, 200))));
  document.addEventListener("keydown", keys);
  for (const button of document.querySelectorAll("[data-opens]"))
    button.addEventListener("click", () => byId(button.dataset.opens).showModal());
  for (const dialog of document.querySelectorAll("dialog"))
    dialog.addEventListener("click", (event) => (event.target === dialog || event.target.closest(".close")) && dialog.close());
  spy();
  follow();
  arrive();
}

// Single keys, as readers of long pages know them; never while something is typed.
function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  const step = { "[": -1, "]": 1 }[event.key];
  if (step) document.querySelector(`[data-step="${step}"]`).click();
  if (event.key === "?") byId("keys").showModal();
}

start();
