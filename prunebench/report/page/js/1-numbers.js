// How numbers are written: the rules of prunebench/numbers.py, kind by kind, with a minus sign that is one.

const MINUS = "\u2212";

const FORMS = {
  points: (value) => value.toFixed(2),
  difference: (value) => plus(value.toFixed(2)),
  p: (value) => (value < 0.001 ? "<0.001" : value.toFixed(3)),
  count: (value) => whole(value),
  exact: (value) => plain(Number(value.toPrecision(12))),
  given: (value) => FORMS.exact(value).replace(/^-?\d+$/, "$&.0"),
  share: (value) => `${significant(100 * value, 4)} %`,
  factor: (value) => `${significant(value, 3)} ×`,
  ratio: (value) => value.toFixed(4),
  amount: amount,
  seconds: seconds,
  quantity: (value) => significant(value, 3),
  effect: (value) => plus(significant(value, 3)),
};

const plus = (text) => (/^[\d,.]*[1-9]/.test(text) ? `+${text}` : text);

const whole = (value) => Number(value.toFixed(0)).toLocaleString("en-US", { maximumFractionDigits: 0 });

function significant(value, digits) {
  const short = Number(value.toPrecision(digits));
  return Math.abs(short) >= 1000 ? whole(value) : plain(short);
}

const plain = (value) =>
  value === 0 || Math.abs(value) >= 1e-4 ? String(value) : value.toExponential().replace(/e-(\d)$/, "e-0$1");

function amount(value) {
  for (const [i, prefix] of ["E", "P", "T", "G", "M", "k"].entries()) {
    const size = 1e18 / 1000 ** i;
    if (value >= 0.9995 * size) return `${significant(value / size, 3)} ${prefix}`;
  }
  return significant(value, 3);
}

function seconds(value) {
  if (value > 0 && value < 0.9995) return `${significant(1000 * value, 3)} ms`;
  if (value >= 7200) return `${significant(value / 3600, 3)} h`;
  return value >= 120 ? `${significant(value / 60, 3)} min` : `${significant(value, 3)} s`;
}

// A value as tables print it. A column says how its numbers are written: by a form, or with so many digits.
function shown(value, column = {}, form = column.form) {
  if (value === null || value === undefined || value === "") return "";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (Array.isArray(value)) return value.map((item) => shown(item, column)).join("; ");
  if (typeof value === "object")
    return Object.entries(value).map(([name, item]) => `${name}: ${shown(item)}`).join(", ");
  if (typeof value !== "number") return String(value);
  return (column.digits !== undefined && value ? value.toFixed(column.digits) : spelled(value, form)).replace(/^-/, MINUS);
}

function spelled(value, form) {
  const text = FORMS[form ?? (Number.isInteger(value) ? "count" : "quantity")](value);
  return /^-[0.]+$/.test(text) ? text.slice(1) : text;
}

const grouped = whole;
