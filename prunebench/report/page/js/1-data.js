// The page's data, and small helpers. Whatever comes from data becomes text nodes, never markup.

if (!("DecompressionStream" in window)) {
  document.getElementById("old").hidden = false; // the answer in words stands there nevertheless
  return;
}

const DATA = JSON.parse(await inflated(document.getElementById("data").textContent));

async function inflated(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

// A packed table: each column is a list of values, or one value for all rows.
class Table {
  constructor({ rows, columns }) {
    this.rows = rows;
    this.packed = columns;
    this.names = Object.keys(columns);
  }

  column(name) {
    const column = this.packed[name] ?? { k: null };
    if (!Array.isArray(column)) this.packed[name] = Array(this.rows).fill(column.k);
    return this.packed[name];
  }

  row(i) {
    return Object.fromEntries(this.names.map((name) => [name, this.column(name)[i]]));
  }
}

// An element with attributes, properties that begin with a dot, listeners that begin with "on", and children.
function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith(".")) node[name.slice(1)] = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  return put(node, children);
}

// Give an element its children, however deep their lists are nested; what is absent is left out.
function put(node, ...children) {
  node.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const byId = (id) => document.getElementById(id);
const MINUS = "\u2212";

// A number as tables print it: a minus sign that is one, thousands apart, so many digits.
function shown(value, column = {}) {
  if (value === null || value === undefined || value === "") return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((item) => shown(item, column)).join("; ");
  if (typeof value === "object")
    return Object.entries(value).map(([name, item]) => `${name}: ${shown(item)}`).join(", ");
  if (typeof value !== "number") return String(value);
  if (column.kind === "p") return value < 0.001 ? "< 0.001" : value.toFixed(3);
  const text = column.digits !== undefined ? value.toFixed(column.digits) : brief(value);
  const signed = column.signed && value > 0 && Number(text) !== 0 ? `+${text}` : text;
  return Number(text) === 0 ? text.replace("-", "") : signed.replace("-", MINUS);
}

function brief(value) {
  if (Number.isInteger(value)) return Math.abs(value) < 1e4 ? String(value) : grouped(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e7)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

const grouped = (value) =>
  Math.abs(value) >= 1e9 ? value.toExponential(2) : value.toLocaleString("en-US");

function save(name, kind, content) {
  const link = el("a", { href: URL.createObjectURL(new Blob([content], { type: kind })), download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

// A shell's word: as it is where it is harmless, else in single quotes.
const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function copied(text, button) {
  const done = () => {
    const before = button.textContent;
    button.textContent = "copied";
    setTimeout(() => (button.textContent = before), 1500);
  };
  navigator.clipboard?.writeText(text).then(done, () => fallbackCopy(text) && done());
}

function fallbackCopy(text) {
  const area = el("textarea", { ".value": text, class: "off-screen" });
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
