// Claims: a row a sentence with its verdict; opened, the checks that it is made of, and what each one found.

const VERDICTS = ["holds", "fails", "not contradicted", "open", "undecided", "not run"];

class Claims {
  constructor() {
    this.box = byId("claims-list");
    this.claims = tableOf("claims");
    this.checks = tableOf("checks");
    this.verdicts = new Set();
    this.word = "";
    if (!this.box || !this.claims) return;
    this.byClaim = grouping(this.checks.column("own_claim"));
    this.drawFilters();
    this.draw();
  }

  drawFilters() {
    const all = this.claims.column("verdict");
    const buttons = VERDICTS.filter((verdict) => all.includes(verdict)).map((verdict) => {
      const count = all.filter((each) => each === verdict).length;
      const button = el("button", { type: "button", class: `chip ${verdict.replaceAll(" ", "-")}`, "aria-pressed": "false" }, `${verdict} `, el("b", {}, String(count)));
      button.addEventListener("click", () => this.choose(verdict, button));
      return button;
    });
    const search = el("input", { type: "search", placeholder: "search", "aria-label": "search claims" });
    search.addEventListener("input", () => {
      this.word = search.value.trim().toLowerCase();
      this.draw();
    });
    put(byId("claims-filters"), ...buttons, search);
  }

  choose(verdict, button) {
    if (!this.verdicts.delete(verdict)) this.verdicts.add(verdict);
    button.setAttribute("aria-pressed", String(this.verdicts.has(verdict)));
    this.draw();
  }

  wanted(claim) {
    if (this.verdicts.size && !this.verdicts.has(claim.verdict)) return false;
    const text = `${claim.id} ${claim.says} ${claim.source} ${claim.failing}`.toLowerCase();
    return !this.word || text.includes(this.word);
  }

  draw() {
    const claims = [...Array(this.claims.rows).keys()].map((i) => this.claims.row(i)).filter((claim) => this.wanted(claim));
    put(this.box, ...claims.map((claim) => this.item(claim)));
    if (!claims.length) this.box.append(el("p", { class: "note" }, "No claim of that kind."));
  }

  item(claim) {
    const counts = [[claim.holds, "hold"], [claim.fails, "fail"], [claim.undecided, "undecided"], [claim.not_run, "not run"]];
    const checks = counts.filter(([count]) => count).map(([count, word]) => `${count} ${count === 1 && word !== "undecided" && word !== "not run" ? `${word}s` : word}`).join(", ");
    const summary = el("summary", {},
      pill(claim.verdict), el("span", { class: "says" }, el("bdi", {}, claim.says)),
      el("span", { class: "source" }, el("bdi", {}, [claim.own ? "" : claim.id, claim.source].filter(Boolean).join(" · ")), `${claim.own && !claim.source ? "" : " · "}${checks || "no check"}`));
    const inside = el("div", { class: "inside" });
    const details = el("details", { class: "claim", id: `claim-${claim.id}`, "data-claim": claim.id }, summary, inside);
    details.addEventListener("toggle", () => details.open && !inside.firstChild && this.fill(inside, claim));
    return details;
  }

  fill(inside, claim) {
    const rows = (this.byClaim.get(claim.id) ?? []).map((i) => this.checks.row(i));
    const scales = scalesOf(rows);
    const head = ["", "check", "compares", "where", "effect and its 95 % bounds", "beside the threshold", "seeds"].map((title) => el("th", { scope: "col" }, title));
    const table = el("table", { class: "checks" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows.map((row, i) => this.check(row, i, scales.get(kindOfCheck(row))))));
    put(inside,
      claim.own ? "" : el("p", { class: "note" }, RULES[claim.kind] ?? ""),
      el("p", { class: "note" }, "The bounds are of the effect, one-sided, right in 95 % each; the line is the threshold that it is set against, the band what does not matter. ",
        el("a", { href: address("claims", `claim-${claim.id}`) }, "Link to this claim")),
      el("div", { class: "scroller short", role: "region", "aria-label": `checks of ${claim.id}` },
        rowsByKey(table, (row) => openCheck(rows[Number(row.dataset.row)]))));
  }

  check(row, i, scale) {
    const where = [row.setting, row.range].filter(Boolean).join(", ");
    return el("tr", { "data-row": i, id: `check-${row.check}`, onclick: () => getSelection()?.toString() || openCheck(row) },
      el("td", {}, pill(row.verdict)),
      el("td", {}, el("bdi", {}, row.check)),
      el("td", {}, el("bdi", {}, comparesOf(row))),
      el("td", {}, el("bdi", {}, where)),
      el("td", { class: "number" }, row.effect === null ? el("bdi", {}, row.reason) : effectOf(row)),
      el("td", {}, forest(row, scale)),
      el("td", {}, seedsOf(row)));
  }

  // Open what an address names, whatever was chosen before, and return its id; null where there is none.
  reach(target) {
    const [kind, name] = [target.slice(0, 5), target.slice(6)];
    const place = kind === "check" ? this.checks?.column("check").indexOf(name) ?? -1 : -1;
    const id = kind === "check" ? this.checks?.column("own_claim")[place] : name;
    if (!this.claims?.column("id").includes(id)) return null;
    if (!byId(`claim-${id}`)) this.unfilter();
    const details = byId(`claim-${id}`);
    details.open = true;
    if (!details.querySelector(".checks")) this.fill(details.querySelector(".inside"), this.claims.row(this.claims.column("id").indexOf(id)));
    for (const row of this.box.querySelectorAll("tr.asked")) row.classList.remove("asked");
    if (kind !== "check") return details.id;
    byId(target).classList.add("asked");
    byId(target).scrollIntoView({ block: "nearest" });
    return target;
  }

  unfilter() {
    this.verdicts.clear();
    this.word = "";
    this.drawFilters();
    this.draw();
  }
}

let CLAIMS = null;
const reach = (target) => CLAIMS?.reach(target) ?? null;

const RULES = {
  every: "Claims all: it holds where every check holds, and fails where one fails beyond chance (Holm).",
  some: "Claims some: it holds where one check holds beyond chance (Holm), and fails where all fail.",
  most: "Claims most: it holds or fails where more than half of its checks do.",
};
const EXPECT = { above: "above", same: "same as", "not-above": "not above", "not-same": "not the same as" };

const openCheck = (row) => openRow(row.check, columnsOf("checks").map((column) => [column, row[column.id]]), row);

// What is compared, and with which threshold: "snip above random, by 0.5".
function comparesOf(row) {
  const asked = `${row.of ?? ""} ${EXPECT[row.expect] ?? row.expect} ${row.against ?? ""}`;
  if (row.effect === null && !row.by) return asked;
  const what = row.compare === "ratio" ? `ratio, set against ${amountOf(row, "by")}` : row.by ? `set against ${amountOf(row, "by")}` : "";
  return [asked, what, row.margin ? `δ ${shown(row.margin, {}, "exact")}` : ""].filter(Boolean).join("; ");
}

const amountOf = (row, name) => shown(row[name], {}, row.form);

function effectOf(row) {
  const bounds = row.low === null ? "" : ` [${amountOf(row, "low")}, ${amountOf(row, "high")}]`;
  return `${amountOf(row, "effect")}${bounds}`;
}

const seedsOf = (row) => `${row.n ?? 0}${row.verdict === "undecided" && row.seeds_needed ? ` (${row.seeds_needed} would decide)` : ""}`;

function grouping(values) {
  const groups = new Map();
  values.forEach((value, i) => groups.set(value, [...(groups.get(value) ?? []), i]));
  return groups;
}

// Checks of one kind of number are drawn on one scale.
const kindOfCheck = (row) => `${row.compare}/${row.quantity}`;

function scalesOf(rows) {
  const kinds = new Map();
  for (const row of rows) kinds.set(kindOfCheck(row), [...(kinds.get(kindOfCheck(row)) ?? []), row]);
  return new Map([...kinds].map(([kind, each]) => [kind, scaleOf(each)]));
}

// From and to: thresholds with their bands, and all effects and bounds but for a few far ones, which are cut off.
function scaleOf(rows) {
  const bands = rows.flatMap(bandOf);
  const all = rows.flatMap((row) => [row.effect, row.low, row.high]).filter((x) => typeof x === "number").sort((a, b) => a - b);
  const [from, to] = [0.05, 0.95].map((share) => all[Math.round(share * (all.length - 1))] ?? 0);
  const [low, high] = [Math.min(from, ...bands), Math.max(to, ...bands)];
  const rest = 0.06 * (high - low || 1);
  return [low - rest, high + rest];
}

// What does not matter: above the threshold where more is claimed, around it where the same is.
function bandOf(row) {
  const margin = row.margin ?? 0;
  return [(row.expect ?? "").endsWith("above") ? row.by : row.by - margin, row.by + margin];
}

const WIDE = 160;

function forest(row, scale) {
  if (row.effect === null) return null;
  const [low, high] = scale;
  const at = (x) => 4 + Math.max(0, Math.min(1, (x - low) / (high - low))) * (WIDE - 8);
  const end = (x, otherwise) => (typeof x === "number" ? at(x) : otherwise); // infinite: to the edge
  const [from, to] = bandOf(row);
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} 16`, width: WIDE, height: 16, class: `forest ${row.verdict.replaceAll(" ", "-")}`, role: "img", "aria-label": `effect ${effectOf(row)}, threshold ${amountOf(row, "by")}` });
  if (to > from) picture.append(svg("rect", { x: at(from), width: at(to) - at(from), y: 2, height: 12, class: "margin" }));
  picture.append(svg("line", { x1: at(row.by), x2: at(row.by), y1: 0, y2: 16, class: "threshold" }));
  if (row.low !== null) picture.append(svg("line", { x1: end(row.low, 0), x2: end(row.high, WIDE), y1: 8, y2: 8, class: "bounds" }));
  picture.append(svg("circle", { cx: at(row.effect), cy: 8, r: 3.2, class: "effect" }));
  return picture;
}
