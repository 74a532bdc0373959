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
    byId("claims-filters").replaceChildren(...buttons, search);
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
    this.box.replaceChildren(...claims.map((claim) => this.item(claim)));
    if (!claims.length) this.box.append(el("p", { class: "note" }, "No claim of that kind."));
  }

  item(claim) {
    const counts = [[claim.holds, "hold"], [claim.fails, "fail"], [claim.undecided, "undecided"], [claim.not_run, "not run"]];
    const checks = counts.filter(([count]) => count).map(([count, word]) => `${count} ${count === 1 && word !== "undecided" && word !== "not run" ? `${word}s` : word}`).join(", ");
    const summary = el("summary", {},
      pill(claim.verdict), el("span", { class: "says" }, el("bdi", {}, claim.says)),
      el("span", { class: "source" }, el("bdi", {}, [claim.own ? "" : claim.id, claim.source].filter(Boolean).join(" · ")), `${claim.own && !claim.source ? "" : " · "}${checks || "no check"}`));
    const inside = el("div", { class: "inside" });
    const details = el("details", { class: "claim", id: `claim-${claim.id}` }, summary, inside);
    details.addEventListener("toggle", () => details.open && !inside.firstChild && this.fill(inside, claim));
    return details;
  }

  fill(inside, claim) {
    const rows = (this.byClaim.get(claim.id) ?? []).map((i) => this.checks.row(i));
    const scale = scaleOf(rows);
    const head = ["", "check", "compares", "where", "effect and 95 % bounds", "", "seeds"].map((title) => el("th", { scope: "col" }, title));
    inside.append(
      claim.own ? "" : el("p", { class: "note" }, ({ every: "Claims all: it holds where every check holds, and fails where one fails beyond chance (Holm).", some: "Claims some: it holds where one check holds beyond chance (Holm), and fails where all fail.", most: "Claims most: it holds or fails where more than half of its checks do." })[claim.kind] ?? ""),
      el("div", { class: "scroller short", tabindex: 0, role: "region", "aria-label": `checks of ${claim.id}` },
        el("table", { class: "checks" }, el("thead", {}, el("tr", {}, head)), el("tbody", {}, rows.map((row) => this.check(row, scale))))));
  }

  check(row, scale) {
    const bounds = row.lower === null ? "" : ` [${effect(row, "lower")}, ${effect(row, "upper")}]`;
    const opened = () => openRow(row.check, columnsOf("checks").map((column) => [column, row[column.id]]), row);
    const tr = el("tr", { tabindex: 0, onclick: opened, onkeydown: (event) => event.key === "Enter" && (event.preventDefault(), opened()) },
      el("td", {}, pill(row.verdict)),
      el("td", {}, el("bdi", {}, row.check)),
      el("td", {}, el("bdi", {}, `${row.of ?? ""} ${EXPECT[row.expect] ?? row.expect} ${row.against ?? ""}`)),
      el("td", {}, el("bdi", {}, [row.setting, row.range].filter(Boolean).join(", "))),
      el("td", { class: "number" }, row.effect === null ? el("bdi", {}, row.reason) : `${effect(row, "effect")}${bounds}`),
      el("td", {}, forest(row, scale)),
      el("td", {}, seedsOf(row)));
    return tr;
  }
}

const effect = (row, name) => shown(row[name], {}, row.form);
const EXPECT = { above: "above", same: "same as", "not-above": "not above", "not-same": "not the same as" };

const seedsOf = (row) => `${row.n ?? 0}${row.verdict === "undecided" && row.seeds_needed ? ` (${row.seeds_needed} would decide)` : ""}`;

function grouping(values) {
  const groups = new Map();
  values.forEach((value, i) => groups.set(value, [...(groups.get(value) ?? []), i]));
  return groups;
}

// Effects, bounds and margins of a claim's checks on one scale, around 0; a few far ones are cut off.
function scaleOf(rows) {
  const all = rows.flatMap((row) => [row.effect, row.lower, row.upper]).filter((x) => typeof x === "number").map(Math.abs).sort((a, b) => a - b);
  const far = all[Math.floor(0.9 * (all.length - 1))] ?? 1;
  return Math.max(far, ...rows.map((row) => row.margin ?? 0)) * 1.15 || 1;
}

const WIDE = 160;

function forest(row, scale) {
  if (row.effect === null) return null;
  const at = (x) => Math.max(1, Math.min(WIDE - 1, WIDE / 2 + (x / scale) * (WIDE / 2 - 4)));
  const picture = svg("svg", { viewBox: `0 0 ${WIDE} 16`, width: WIDE, height: 16, class: `forest ${row.verdict.replaceAll(" ", "-")}`, role: "img", "aria-label": `effect ${effect(row, "effect")}` });
  if (row.margin) picture.append(svg("rect", { x: at(-row.margin), width: at(row.margin) - at(-row.margin), y: 2, height: 12, class: "margin" }));
  picture.append(svg("line", { x1: at(0), x2: at(0), y1: 0, y2: 16, class: "zero" }));
  if (row.lower !== null && row.upper !== null) picture.append(svg("line", { x1: at(row.lower), x2: at(row.upper), y1: 8, y2: 8, class: "bounds" }));
  picture.append(svg("circle", { cx: at(row.effect), cy: 8, r: 3.2, class: "effect" }));
  return picture;
}
