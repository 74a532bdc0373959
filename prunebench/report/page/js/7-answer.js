// The answer for the setting and the range that are chosen: methods by what they reach, with their places.

function drawAnswer() {
  const range = rangeShown();
  for (const words of document.querySelectorAll(".answer [data-setting]")) words.hidden = words.dataset.setting !== settingId();
  for (const words of document.querySelectorAll(".answer [data-range]")) words.hidden = words.dataset.range !== range;
  const box = byId("places");
  const summary = tableOf("summary");
  if (!box || !summary) return;
  const rows = [...Array(summary.rows).keys()]
    .filter((i) => summary.column("setting")[i] === settingName() && summary.column("range")[i] === range)
    .map((i) => summary.row(i))
    .filter((row) => visible(row.name) && row.of);
  rows.sort((a, b) => ordered(a.mean, b.mean, -1));
  put(box, rows.length ? placesTable(rows) : el("p", { class: "note" }, "Nothing is there of this range in this setting."));
}

function placesTable(rows) {
  const differences = rows.some((row) => row.difference_mean !== null);
  const reach = Math.max(...rows.flatMap((row) => [row.difference_low, row.difference_high]).map((x) => Math.abs(x ?? 0)), 0.5);
  const head = ["method", "accuracy, %", `place of ${rows[0].of}`, "", ...(rows[0].trust === undefined ? [] : ["trust"]), ...(differences ? [`less ${DATA.baseline}`, ""] : []), "seeds"];
  return rowsByKey(el("table", { class: "places" },
    el("thead", {}, el("tr", {}, head.map((title) => el("th", { scope: "col", class: title ? null : "drawn" }, el("bdi", {}, title))))),
    el("tbody", {}, rows.map((row, i) => placeRow(row, i, differences, reach)))));
}

function placeRow(row, i, differences, reach) {
  const spread = row.sd === null ? "" : ` ± ${shown(row.sd, { form: "points" })}`;
  const place = row.best === row.worst ? `${row.best}` : `${row.best}–${row.worst}`;
  const odd = [row.diverged ? `${row.diverged} diverged` : "", row.missing ? `${row.missing} not there` : "", row.failed ? `${row.failed} failed` : ""].filter(Boolean).join(", ");
  const tr = el("tr", { "data-variant": row.name, "data-row": i },
    el("th", { scope: "row" }, named(row.name)),
    el("td", { class: "number" }, row.mean === null ? "" : `${shown(row.mean, { form: "points" })}${spread}`),
    el("td", { class: "number" }, row.best === null ? "" : place),
    el("td", { class: "drawn" }, row.best === null ? null : placeBar(row)),
    row.trust === undefined ? null : el("td", {}, trusted(row.trust)),
    differences ? el("td", { class: "number" }, row.difference_mean === null ? "" : interval(row)) : null,
    differences ? el("td", { class: "drawn" }, row.difference_mean === null ? null : differenceBar(row, reach)) : null,
    el("td", { class: "odd" }, String(row.n), odd ? el("span", { class: "note" }, ` · ${odd}`) : null));
  lightOn(tr, row.name);
  return tr;
}

const DIFFERENCE = { form: "difference" };
const interval = (row) => `${shown(row.difference_mean, DIFFERENCE)} [${shown(row.difference_low, DIFFERENCE)}, ${shown(row.difference_high, DIFFERENCE)}]`;

function placeBar(row) {
  const colour = styleOf(row.name).colour;
  const [left, step] = [2, 76 / row.of];
  return svg("svg", { viewBox: "0 0 80 14", width: 80, height: 14, class: "bar", "aria-hidden": "true" },
    svg("rect", { x: left, y: 6, width: 76, height: 2, class: "track" }),
    svg("rect", { x: left + (row.best - 1) * step, y: 3, width: Math.max(3, (row.worst - row.best + 1) * step), height: 8, rx: 3, fill: colour }));
}

function differenceBar(row, reach) {
  const at = (x) => 55 + (Math.max(-reach, Math.min(reach, x)) / reach) * 52;
  const colour = styleOf(row.name).colour;
  const picture = svg("svg", { viewBox: "0 0 110 14", width: 110, height: 14, class: "bar", "aria-hidden": "true" },
    svg("line", { x1: 55, x2: 55, y1: 0, y2: 14, class: "zero" }));
  if (row.difference_low !== null) picture.append(svg("line", { x1: at(row.difference_low), x2: at(row.difference_high), y1: 7, y2: 7, stroke: colour, "stroke-width": 2 }));
  picture.append(svg("circle", { cx: at(row.difference_mean), cy: 7, r: 3.5, fill: colour }));
  return picture;
}
