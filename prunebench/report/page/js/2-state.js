// What is chosen: it stands in the address, #SETTING/SECTION?range=…&hide=…, so that a link leads to a view.

const SECTIONS = [...document.querySelectorAll("main > section[id]")].map((section) => section.id);
const state = { setting: 0, section: "", range: "", hidden: new Set(), lit: null };
const listeners = [];

const onChange = (listener) => listeners.push(listener);
const changed = (what) => listeners.forEach((listener) => listener(what));

const settingId = () => DATA.settings[state.setting]?.id ?? "all";
const settingName = () => DATA.settings[state.setting]?.name ?? "";

function address(section = state.section) {
  const query = new URLSearchParams();
  if (state.range && state.range !== DATA.range) query.set("range", state.range);
  if (state.hidden.size) query.set("hide", [...state.hidden].join("~"));
  const asked = query.toString();
  return `#${encodeURIComponent(settingId())}${section ? `/${section}` : ""}${asked ? `?${asked}` : ""}`;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Take over what the address asks for. Unknown names are ignored: an old link still opens the page.
function readAddress() {
  const [path, asked = ""] = location.hash.slice(1).split("?", 2);
  const parts = path.split("/").map(decoded);
  const setting = DATA.settings.findIndex((each) => each.id === parts[0]);
  const section = parts.find((part) => SECTIONS.includes(part)) ?? "";
  const query = new URLSearchParams(asked);
  const range = query.get("range") ?? "";
  const before = { ...state, hidden: [...state.hidden].join("~") };
  if (setting >= 0) state.setting = setting;
  state.section = section;
  state.range = DATA.ranges.includes(range) ? range : DATA.range;
  const known = new Set([...DATA.methods, ...DATA.ablations]);
  state.hidden = new Set((query.get("hide") ?? "").split("~").filter((name) => known.has(name)));
  if (before.setting !== state.setting) changed("setting");
  if (before.range !== state.range) changed("range");
  if (before.hidden !== [...state.hidden].join("~")) changed("methods");
  return section;
}

// A new view is a new entry of the browser's history; a changed detail replaces the entry.
function go(section = state.section) {
  if (location.hash !== address(section)) location.hash = address(section);
}

function adjust() {
  history.replaceState(null, "", address());
  relink();
}

function relink() {
  for (const link of document.querySelectorAll("a[data-section]"))
    link.setAttribute("href", address(link.dataset.section));
}

function arrive() {
  const section = readAddress();
  relink();
  if (!section) return;
  byId(section).scrollIntoView();
  byId(section).querySelector("h2")?.focus({ preventScroll: true });
  arriving = section;
}

// What is drawn above the section that was asked for moves it, until the reader moves it.
let arriving = null;
const stay = () => arriving && byId(arriving).scrollIntoView();
for (const event of ["wheel", "touchmove", "keydown", "mousedown"]) addEventListener(event, () => (arriving = null), { passive: true });

// -- which methods are shown ---------------------------------------------------------------------------

const ablationsOf = (variant) => variant.split(" + ").slice(1);
const methodOf = (variant) => variant.split(" + ", 1)[0];
const visible = (variant) =>
  !state.hidden.has(methodOf(variant)) && !ablationsOf(variant).some((name) => state.hidden.has(name));

function toggle(name) {
  if (!state.hidden.delete(name)) state.hidden.add(name);
  adjust();
  changed("methods");
}

function showOnly(names, kind) {
  const all = kind === "method" ? DATA.methods : DATA.ablations;
  for (const name of all) names.includes(name) ? state.hidden.delete(name) : state.hidden.add(name);
  adjust();
  changed("methods");
}

function light(variant) {
  if (state.lit === variant) return;
  state.lit = variant;
  changed("lit");
}
