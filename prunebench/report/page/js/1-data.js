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
    if ("p" in column) return this.column(column.p).map((value) => (value === null ? null : Number((100 * value).toPrecision(12))));
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
