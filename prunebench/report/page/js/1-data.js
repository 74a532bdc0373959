// The page's data, and small helpers. Whatever comes from data becomes text nodes, never markup.

const DATA = JSON.parse(document.getElementById("data").textContent);

const COLUMN = {
  k: (column, rows) => Array(rows).fill(column.k),
  v: (column) => column.v,
  r: (column) => unrolled(column.r),
  f: (column) => unfronted(column.f),
  u: (column) => counted(column.u),
  h: (column, rows) => Array.from({ length: rows }, (_, i) => hexadecimal(column.h.slice(8 * i, 8 * i + 8))),
};

function unrolled(runs) {
  const values = [];
  for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < runs[i + 1]; k++) values.push(runs[i]);
  return values;
}

function counted(runs) {
  const values = [];
  for (let i = 0; i < runs.length; i += 2) for (let k = 0; k < runs[i + 1]; k++) values.push(runs[i] + k);
  return values;
}

function unfronted(coded) {
  const texts = [];
  let before = [];
  for (let i = 0; i < coded.length; i += 2) {
    const text = before.slice(0, coded[i]).join("") + coded[i + 1];
    texts.push(text);
    before = Array.from(text); // by characters, as they were counted
  }
  return texts;
}

const hexadecimal = (text) => Array.from(atob(text), (byte) => byte.charCodeAt(0).toString(16).padStart(2, "0")).join("");

// A packed table: columns are unpacked when they are first asked for.
class Table {
  constructor(packed) {
    this.rows = packed.rows;
    this.packed = packed.columns;
    this.cache = new Map();
    this.names = Object.keys(packed.columns);
  }

  column(name) {
    if (!this.cache.has(name)) this.cache.set(name, this.unpack(this.packed[name]));
    return this.cache.get(name);
  }

  unpack(column) {
    if (column === undefined) return Array(this.rows).fill(null);
    if ("s" in column || "m" in column) return this.beside(column);
    if ("j" in column) return this.joined(column.j.map((name) => this.column(name)));
    const form = Object.keys(COLUMN).find((key) => key in column);
    if (!("t" in column)) return COLUMN[form](column, this.rows);
    const codes = "c" in column ? column.c : unrolled(column.r);
    const texts = Array.isArray(column.t) ? column.t : unfronted(column.t.f);
    return codes.map((code) => texts[code]);
  }

  // As another column, or as 100 less it, to six digits; but for some rows.
  beside({ s, m, x }) {
    const less = (value) => (value === null ? null : Number((100 - value).toPrecision(6)));
    const values = s ? [...this.column(s)] : this.column(m).map(less);
    for (let i = 0; i < x.length; i += 2) values[x[i]] = x[i + 1];
    return values;
  }

  joined(columns) {
    return Array.from({ length: this.rows }, (_, i) => columns.map((values) => values[i]).join(""));
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
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
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
