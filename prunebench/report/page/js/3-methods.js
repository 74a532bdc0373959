// Methods: one colour and one mark each, everywhere. Chips show and hide them; pointing at one lights it up.

const STYLES = new Map(Object.entries(DATA.styles));

const T = Math.sqrt(3) / 2;
const SHAPES = {
  circle: "M1,0A1,1,0,1,1,-1,0A1,1,0,1,1,1,0Z",
  square: "M-0.89,-0.89H0.89V0.89H-0.89Z",
  diamond: "M0,-1.2L1,0L0,1.2L-1,0Z",
  cross: "M-1,-0.37H-0.37V-1H0.37V-0.37H1V0.37H0.37V1H-0.37V0.37H-1Z",
  "triangle-up": `M0,${-T - 0.2}L1.1,${T}L-1.1,${T}Z`,
  "triangle-down": `M0,${T + 0.2}L-1.1,${-T}L1.1,${-T}Z`,
  "triangle-right": `M${T + 0.2},0L${-T},1.1L${-T},-1.1Z`,
  "triangle-left": `M${-T - 0.2},0L${T},-1.1L${T},1.1Z`,
};

const styleOf = (name) => STYLES.get(name) ?? STYLES.get(methodOf(name)) ?? { colour: "#7b7f87", mark: "circle" };

function badge(name) {
  const style = styleOf(name);
  const line = svg("path", { d: "M-2.6,0H2.6", stroke: style.colour, "stroke-width": 0.45 });
  if (style.dash?.[1]) line.setAttribute("stroke-dasharray", style.dash.map((each) => each / 8).join(" "));
  const shape = SHAPES[style.mark] ?? style.mark;
  const mark = svg("path", { d: shape, fill: style.colour, transform: "scale(1.1)" });
  return svg("svg", { viewBox: "-2.7 -1.6 5.4 3.2", class: "badge", "aria-hidden": "true" }, line, mark);
}

function named(variant) {
  return el("span", { class: "named", "data-variant": variant }, badge(variant), el("bdi", {}, variant));
}

function lightOn(node, variant) {
  node.addEventListener("mouseenter", () => light(variant));
  node.addEventListener("mouseleave", () => light(null));
  node.addEventListener("focus", () => light(variant));
  node.addEventListener("blur", () => light(null));
}

function chip(name, kind) {
  const button = el("button", {
    type: "button",
    class: "chip",
    "aria-pressed": String(!state.hidden.has(name)),
    title: `${name}: click shows or hides it, Alt + click shows it alone`,
    onclick: (event) => (event.altKey ? showOnly([name], kind) : toggle(name)),
  });
  if (kind === "method") button.append(badge(name));
  button.append(el("bdi", {}, name));
  if (kind === "method") lightOn(button, name);
  return button;
}

function chips(box, names, kind) {
  const focused = [...box.children].indexOf(document.activeElement);
  const all = el("button", { type: "button", class: "link", onclick: () => showOnly(names, kind) }, "all");
  const none = el("button", { type: "button", class: "link", onclick: () => showOnly([], kind) }, "none");
  put(box, ...names.map((name) => chip(name, kind)), el("span", { class: "both" }, all, none));
  if (focused >= 0) box.children[focused]?.focus();
}

// Methods and ablations that the setting has: at sparsities (the unpruned network too) or over ranges.
function present() {
  const tables = ["accuracies", "summary"].map(tableOf).filter(Boolean);
  if (!tables.length) return { methods: DATA.methods, ablations: DATA.ablations };
  const here = (table) => table.column("name").filter((_, i) => table.column("setting")[i] === settingName());
  const variants = tables.flatMap(here);
  const methods = new Set(variants.map(methodOf));
  const ablations = new Set(variants.flatMap(ablationsOf));
  return {
    methods: DATA.methods.filter((name) => methods.has(name)),
    ablations: DATA.ablations.filter((name) => ablations.has(name)),
  };
}

function drawLegend() {
  const { methods, ablations } = present();
  chips(byId("chips-methods"), methods, "method");
  byId("legend-ablations").hidden = !ablations.length;
  chips(byId("chips-ablations"), ablations, "ablation");
  const hidden = [...methods, ...ablations].filter((name) => state.hidden.has(name)).length;
  byId("legend-count").textContent = hidden ? `${methods.length} methods, ${hidden} hidden` : `${methods.length} methods`;
}

// Dim all that shows another method than the one that is pointed at: in legends, tables and figures.
function lightUp() {
  const lit = state.lit;
  document.body.classList.toggle("lighting", lit !== null);
  for (const node of document.querySelectorAll("[data-variant]"))
    node.classList.toggle("lit", lit !== null && matches(node.dataset.variant, lit));
  for (const figure of FIGURES) figure.light(lit);
}

const matches = (variant, lit) => variant === lit || methodOf(variant) === lit;
