// What is chosen: it stands in the address, #SETTING/SECTION?range=…&hide=…, so that a link leads to a view.
// A claim or a check has an address of its own: #SETTING/claims/claim-ID, #SETTING/claims/check-NAME.

const SECTIONS = [...document.querySelectorAll("main > section[id]")].map((section) => section.id);
const state = { setting: DATA.first, section: "", target: "", range: "", hidden: new Set(), lit: null };
const listeners = [];

const onChange = (listener) => listeners.push(listener);
const changed = (what) => listeners.forEach((listener) => listener(what));

const settingHere = () => DATA.settings[state.setting];
const settingId = () => settingHere()?.id ?? "all";
const settingName = () => settingHere()?.name ?? "";

// The range that was asked for, where the setting has it; else the first one that it has.
function rangeShown() {
  const here = settingHere()?.said ?? [];
  return here.includes(state.range) ? state.range : here[0] ?? "";
}

function address(section = state.section, target = "") {
  const query = new URLSearchParams();
  if (state.range) query.set("range", state.range);
  if (state.hidden.size) query.set("hide", [...state.hidden].join("~"));
  const asked = query.toString();
  const path = [settingId(), section, target].filter(Boolean).map(encodeURIComponent).join("/");
  return `#${path}${asked ? `?${asked}` : ""}`;
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
  const rest = setting < 0 ? parts : parts.slice(1);
  const query = new URLSearchParams(asked);
  const range = query.get("range") ?? "";
  const before = { ...state, hidden: [...state.hidden].join("~") };
  state.setting = setting < 0 ? DATA.first : setting;
  state.target = rest.find((part) => /^(claim|check)-/.test(part)) ?? "";
  state.section = state.target ? "claims" : rest.find((part) => SECTIONS.includes(part)) ?? "";
  state.range = DATA.ranges.includes(range) ? range : "";
  const known = new Set([...DATA.methods, ...DATA.ablations]);
  state.hidden = new Set((query.get("hide") ?? "").split("~").filter((name) => known.has(name)));
  if (before.setting !== state.setting) changed("setting");
  if (before.range !== state.range) changed("range");
  if (before.hidden !== [...state.hidden].join("~")) changed("methods");
}

// A changed detail replaces the entry of the browser's history.
function adjust() {
  history.replaceState(null, "", address(state.section, state.target));
  relink();
}

// Another setting is a new entry. The reader stays where they are, and Back leads to where they were.
function chooseSetting(number) {
  const here = place();
  history.replaceState(here, "");
  state.setting = (number + DATA.settings.length) % DATA.settings.length;
  state.target = "";
  state.section = sectionOf(here.id);
  history.pushState(here, "", address());
  relink();
  changed("setting");
  hold(here);
}

function relink() {
  for (const link of document.querySelectorAll("a[data-section]"))
    link.setAttribute("href", address(link.dataset.section));
}

function arrive() {
  readAddress();
  relink();
  const target = (state.target && reach(state.target)) || "";
  const id = target || state.section;
  if (!id || !byId(id)?.getClientRects().length) return;
  const below = target.startsWith("check-") ? innerHeight / 4 : 0; // its claim is above it
  hold({ id, top: parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) + below });
  if (!target) byId(id).querySelector("h2")?.focus({ preventScroll: true });
}

// -- where the reader is -------------------------------------------------------------------------------

const PARTS = "main > section[id], main .figure[id], main .listing[id], main .claim[id], #places";

// The part of the page that is read now, and how far its beginning is from the screen's; none at the very top.
function place() {
  const parts = [...document.querySelectorAll(PARTS)].map((node) => ({ id: node.id, top: node.getBoundingClientRect().top }));
  const begun = parts.filter(({ id, top }) => top <= innerHeight / 3 && byId(id).getClientRects().length);
  return scrollY < 8 ? { id: "", top: 0 } : begun.at(-1) ?? { id: "", top: 0 };
}

const sectionOf = (id) => byId(id)?.closest("main > section")?.id ?? "";

// What is drawn above the place moves it: it is held there, until the reader moves.
let held = null;
function hold(here) {
  held = here;
  stay();
}

function stay() {
  if (!held) return;
  if (!held.id) return scrollTo(0, 0);
  const node = byId(held.id);
  if (node?.getClientRects().length) return scrollBy(0, node.getBoundingClientRect().top - held.top);
  const before = SECTIONS.slice(0, SECTIONS.indexOf(sectionOf(held.id)) + 1).reverse();
  byId(before.find((id) => byId(id).getClientRects().length) ?? SECTIONS[0]).scrollIntoView();
}

for (const event of ["wheel", "touchmove", "keydown", "mousedown"])
  addEventListener(event, () => (held = null), { passive: true, capture: true });

// Back and forward: to a setting that was chosen as the reader left it, else to what the address says.
addEventListener("popstate", ({ state: here }) => {
  if (here?.id === undefined) return;
  readAddress();
  relink();
  hold(here);
});
addEventListener("hashchange", () => history.state?.id === undefined && arrive());

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
