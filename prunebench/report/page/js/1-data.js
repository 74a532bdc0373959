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
