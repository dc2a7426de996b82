"use strict";
// Shows key figures, tables and SQL of the choice, from the numbers in the page. Before it, counting.js counts those of days that the reader chooses,
// drawing.js draws the charts. Rows are chosen as in cubes.py; durations are written as in formatting.py, which hands over all other formats.

const ALL = 0;
const DAY = 86400000;
const form = document.getElementById("choice");
let data;
let drawing = Promise.resolve();

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")));
}

// Text

const plain = (value, digits) =>
  value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const rounded = (value, digits) => Math.floor(value * 10 ** digits + 0.5) / 10 ** digits;

function duration(value) {
  const all = Math.floor(value + 0.5);
  const two = (number) => String(number).padStart(2, "0");
  if (all >= 3600) return `${plain(Math.floor(all / 3600), 0)} h ${two(Math.floor(all / 60) % 60)} min`;
  if (all >= 60) return `${Math.floor(all / 60)} min ${two(all % 60)} s`;
  return all >= 10 ? `${all} s` : `${plain(rounded(value, 1), 1)} s`;
}

function formatted(form, value) {
  if (value === null || value === undefined) return data.missing;
  if (form === "duration") return duration(value);
  const { places, scale, unit } = data.forms[form];
  return plain(scale * rounded(value, places), places - Math.round(Math.log10(scale))) + unit;
}

function cell(value, column) {
  const form = data.columnForms[column];
  if (form || value === null || value === undefined) return formatted(form, value);
  return column === "weekday" ? data.weekdays[value - 1] : String(value);
}

// Choice: the address after # is the only place that keeps it.

// Place 0 of each stands in no address: of channels and periods the first, of the others everything, and days.
const CHOICES = [
  ["channel", () => data.channels.map((option) => option.key)],
  ["account", () => ["", ...data.accounts.map((option) => option.key)]],
  ["skill", () => ["", ...data.skills.map((option) => option.key)]],
  ["period", () => data.periods.map((period) => period.key)],
  ["lines", () => ["days", "weeks", "months"]],
];

function chosen() {
  const named = new URLSearchParams(location.hash.slice(1));
  const places = CHOICES.map(([name, names]) => [name, Math.max(ALL, names().indexOf(named.get(name) ?? ""))]);
  const choice = Object.fromEntries(places);
  const days = /^(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)$/.exec(named.get("period") ?? "");
  if (days && data.days.since && days.slice(1).every((day) => Date.parse(day))) {
    choice.period = data.free;
    data.periods[data.free] = periodOf(...days.slice(1).map((day) => plusDays(day, 0)).sort()); // 31 February is 3 March
  }
  return choice;
}

function choose() {
  const named = new URLSearchParams();
  for (const [name, names] of CHOICES) {
    const place = Number(form.elements[name].value);
    if (place !== ALL) named.set(name, names()[place]);
  }
  if (Number(form.elements.period.value) === data.free) {
    const { since, until } = form.elements;
    named.set("period", `${since.value || since.min}..${until.value || until.max}`);
  }
  location.hash = named.size ? named.toString() : "all";
}

// Rows

function rowsOf(chart, choice) {
  const isBefore = choice.period < 0; // ~place is the place of the days before a period
  const period = data.periods[isBefore ? ~choice.period : choice.period];
  const { since, until } = isBefore ? { since: period.before_since, until: period.before_until } : period;
  const cube = period === data.periods[data.free] && !chart.isByDay ? countedCube(chart.cube, since, until) : data.cubes[chart.cube];
  const columns = Object.keys(cube);
  const fits = {
    channel: (place) => chart.spread === "channel" || place === choice.channel + 1,
    account: (place) => (chart.spreads("account") && choice.account === ALL ? place !== ALL : place === choice.account),
    skill: (place) => (chart.spreads("skill") && choice.skill === ALL ? place !== ALL : place === choice.skill),
    period: (place) => place === choice.period,
    [chart.day]: (day) => since === null || (firstDay(since, chart.unit) <= day && day <= until),
  };
  if (chart.spread === "flow") fits.skill = () => true;
  const tests = columns.filter((name) => fits[name]).map((name) => [cube[name], fits[name]]);
  const rows = [];
  for (let place = 0; place < cube[columns[0]].length; place++) {
    if (!tests.every(([column, test]) => test(column[place]))) continue;
    const row = Object.fromEntries(columns.map((name) => [name, cube[name][place]]));
    if (chart.spread === "flow" && choice.skill !== ALL && ![row.skill, row.target_skill].includes(choice.skill)) continue;
    row.type = data.channels[row.channel - 1]?.name;
    row.account_id = data.accounts[row.account - 1]?.name;
    row.skill_id = data.skills[row.skill - 1]?.name;
    row.target_skill_id = data.skills[row.target_skill - 1]?.name;
    row.agent = { agent_id: row.agent_id, agent_name: row.agent_name };
    if (row.agent_name) row.agent_id = `${row.agent_name} (${row.agent_id})`;
    row.mark = markOf(chart, row);
    row.is_marked = row.mark !== "";
    row.texts = Object.fromEntries(chart.columns.map((name) => [name, cell(row[name], name)]));
    rows.push(row);
  }
  if (!chart.most) return rows;
  const highest = chart.highest;
  return rows.sort((one, other) => other[highest] - one[highest]).slice(0, chart.most);
}

// The words for a local day, week or month that is not whole, or to which more can come, as in wholeness.py.
function markOf(chart, row) {
  if (!chart.isLocal || !chart.isByDay) return "";
  const found = data.marks[chart.unit][row.account]?.[row[chart.day]];
  if (found) return found;
  const since = data.provisional[row.account];
  return since && lastDay(row[chart.day], chart.unit) >= since ? data.markOfProvisional : "";
}

// Page

function showTable(chart, rows) {
  const body = document.querySelector(`#${chart.name}-table tbody`);
  if (!body) return;
  const heading = body.parentElement.querySelector("thead th");
  (heading.firstElementChild ?? heading).textContent = data.headings[chart.columns[0]];
  const lines = rows.map((row) => {
    const line = document.createElement("tr");
    if (row.is_marked) line.className = "marked";
    chart.columns.forEach((name, place) => {
      const field = document.createElement(place ? "td" : "th");
      if (!place) {
        field.scope = "row";
        if (row.is_marked) field.dataset.mark = ` (${row.mark})`;
      }
      else field.dataset.label = data.headings[name];
      if (place && data.texts.includes(name)) field.className = "text";
      field.textContent = row.texts[name];
      line.append(field);
    });
    return line;
  });
  body.replaceChildren(...lines);
}

function showSql(chart, choice) {
  const { head, conditions: always, tail } = chart.sql;
  const { since, until } = data.periods[choice.period];
  const skill = data.skills[choice.skill - 1]?.condition;
  const toSkill = skill?.replaceAll("skill_id", "target_skill_id");
  const conditions = [
    ...always,
    chart.hasChannel && chart.spread !== "channel" && data.channels[choice.channel]?.condition,
    data.accounts[choice.account - 1]?.condition,
    chart.hasSkill && (skill && chart.spread === "flow" ? `(${skill} or ${toSkill})` : skill),
    since && `${chart.day} between '${firstDay(since, chart.unit)}' and '${until}'`,
  ].filter(Boolean);
  const where = conditions.length ? `\nwhere ${conditions.join("\n    and ")}` : "";
  document.getElementById(`${chart.name}-sql`).textContent = `${head}${where}\n${tail}`.trimEnd();
}

// Wilson's interval of 95 % of a share, and Newcombe's of the difference of two: the same as in sql/periods.

const BOUND = 1.959964;

function interval(parts, cases) {
  const share = parts / cases;
  const divisor = 1 + BOUND ** 2 / cases;
  const middle = (share + BOUND ** 2 / (2 * cases)) / divisor;
  const half = (BOUND * Math.sqrt((share * (1 - share)) / cases + BOUND ** 2 / (4 * cases ** 2))) / divisor;
  return { share, low: Math.max(middle - half, 0), high: Math.min(middle + half, 1) };
}

const signed = (value) => `${value < 0 ? "\u2212" : "+"}${plain(rounded(Math.abs(value), 1), 1)}`;

function changeOf(key, row, former, unlike) {
  const why = "not judged, since the two are not alike";
  if (!key.parts) {
    const [now, then] = [row?.[key.measure], former?.[key.measure]];
    if (unlike || !now || !then) return ""; // of counts a missing day alone is a change
    const isScore = key.form === "number";
    const [change, unit] = isScore ? [now - then, ""] : [(100 * (now - then)) / then, " %"];
    return `change: ${signed(change)}${unit}`;
  }
  if (!row?.[key.cases] || !former?.[key.cases]) return "";
  const [one, other] = [row, former].map((counts) => interval(counts[key.parts], counts[key.cases]));
  const change = one.share - other.share;
  const low = change - Math.hypot(one.share - one.low, other.high - other.share);
  const high = change + Math.hypot(one.high - one.share, other.share - other.low);
  const points = (value) => signed(100 * value);
  const found = unlike ? why : low > 0 || high < 0 ? "clear" : "not clear";
  return `change: ${points(change)} points, 95 % from ${points(low)} to ${points(high)}, ${found}`;
}

// The same figure of bots, from a query and measures of their own.
function ofBots(key) {
  const named = (text) => text.replaceAll("people_", "bot_");
  return { ...key, query: `bot-${key.query}`, measure: named(key.measure), basis: named(key.basis) };
}

function written(key, found) {
  const row = found[`key-${key.query}`]?.[0] ?? {};
  const basis = key.basis.replace(/{(\w+)}/g, (_, name) => formatted("count", row[name] ?? 0));
  return [formatted(key.form, row[key.measure] ?? (key.form === "count" ? 0 : null)), basis];
}

// Whether a figure meets the target of the account chosen, as targets.py says it.
function setTarget({ name }, target, value) {
  const place = document.getElementById(`key-${name}-target`);
  const wanted = target?.values[chosen().account] ?? null;
  const isKnown = wanted !== null && value !== null && value !== undefined;
  const beyond = isKnown ? Number((value - wanted).toFixed(9)) : 0;
  const isMet = isKnown && (target.is_least ? beyond >= 0 : beyond <= 0);
  const isOne = !target || new Set(target.values.slice(1)).size <= 1;
  place.textContent = wanted === null ? (chosen().account !== ALL || isOne ? "" : "targets differ: choose an account") : `target ${target.is_least ? "\u2265" : "\u2264"} ${formatted(target.form, wanted)}${isKnown ? `: ${isMet ? "met" : "missed"}` : ""}`;
  place.classList.toggle("missed", isKnown && !isMet);
  place.classList.toggle("met", isMet);
}

function showKeys(rows, before, unlike, isOfBots) {
  for (const people of data.keys) {
    const bots = ofBots(people);
    const key = isOfBots ? bots : people;
    const set = (part, text) => {
      const place = document.getElementById(`key-${key.name}${part}`);
      if (place) place.textContent = text;
    };
    const [value, basis] = written(key, rows);
    const former = before && written(key, before);
    const [ofBotsValue, ofBotsBasis] = written(bots, rows);
    set("", value);
    setTarget(key, isOfBots ? null : data.targets[key.measure], rows[`key-${key.query}`]?.[0]?.[key.measure]);
    set("-basis", isOfBots ? `bots: ${basis}` : basis);
    set("-bots", isOfBots || ofBotsValue === data.missing ? "" : `bots: ${ofBotsValue}, ${ofBotsBasis}`);
    set("-before", former ? `before: ${former[0]}, ${former[1]}` : "");
    const [row, formerRow] = [rows, before].map((found) => found?.[`key-${key.query}`][0]);
    set("-change", changeOf(key, row, formerRow, unlike));
  }
}

// Below each key figure a small line of its days for each account, in the account's colour; dashed while days are provisional.
// The figures of a bot have none.
function showLines(charts, rows, isBot) {
  for (const key of data.keys) {
    const place = document.getElementById(`key-${key.name}-line`);
    const chart = charts.find(({ name }) => name === key.chart);
    const isThere = !isBot && chart && [...chart.columns, ...chart.hidden].includes(key.measure);
    const days = !isThere ? [] : rows[key.chart].filter((row) => row[chart.day] !== data.undated && row[key.measure] !== null);
    place.replaceChildren(...(days.length > 2 ? [linesOf(days, chart.day, key.measure)] : []));
  }
}

const svg = (tag, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

function linesOf(rows, day, measure) {
  const times = rows.map((row) => Date.parse(row[day]));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const values = rows.map((row) => row[measure]);
  const most = Math.max(...values) || 1;
  const lowest = Math.min(...values);
  const least = lowest > most / 2 ? lowest - (most - lowest) / 2 : 0; // as the axes below begin
  const point = (row) => {
    const x = (100 * (Date.parse(row[day]) - first)) / (last - first || 1);
    return `${rounded(x, 2)},${rounded(28 - (26 * (row[measure] - least)) / (most - least || 1), 2)}`;
  };
  const drawing = svg("svg", { viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img" });
  const span = [first, last].map((time) => new Date(time).toISOString().slice(0, 10)).join(" to ");
  drawing.setAttribute("aria-label", `by day, ${span}`);
  for (const account of new Set(rows.map((row) => row.account))) {
    const own = rows.filter((row) => row.account === account).sort((one, other) => (one[day] < other[day] ? -1 : 1));
    const cut = own.findIndex((row) => row.mark.includes(data.markOfProvisional));
    const parts = cut < 0 ? [[own, ""]] : [[own.slice(0, cut), ""], [own.slice(Math.max(0, cut - 1)), "marked"]];
    for (const [part, look] of parts.filter(([days]) => days.length > 1)) {
      drawing.append(svg("path", { d: `M${part.map(point).join("L")}`, class: look, stroke: `var(--series-${account})` }));
    }
  }
  return drawing;
}

// A click on a mark chooses its skill and account; a second click on what is chosen takes that back.
function pick(row) {
  const choice = chosen();
  const names = ["skill", "account"].filter((name) => row[name]);
  const isChosen = names.every((name) => choice[name] === row[name]);
  for (const name of names) form.elements[name].value = isChosen ? ALL : row[name];
  if (names.length) choose();
}

function showChosen(choice, counts, unlike) {
  const { name, since, until, before_since, before_until } = data.periods[choice.period];
  const parts = [
    data.channels[choice.channel]?.name,
    choice.account === ALL ? "all accounts" : `account ${data.accounts[choice.account - 1].name}`,
    choice.skill === ALL ? "all skills" : `skill ${data.skills[choice.skill - 1].name}`,
    since === null ? name : name ? `${name} (${since} to ${until})` : `${since} to ${until}`,
  ];
  const caution = unlike && ` The two are not alike, since ${unlike}.`;
  const before = before_since ? ` Before: ${before_since} to ${before_until}.${caution}` : "";
  const touched = choice.lines && since !== null ? ` A ${["", "week", "month"][choice.lines]} that the period touches is drawn whole.` : "";
  const bots = data.skills[choice.skill - 1]?.is_bot ? ` ${data.textOfBots}` : "";
  document.getElementById("chosen").textContent =
    `${parts.join(", ")}: ${formatted("count", counts.all)} conversations${counts.bots ? `, ${formatted("count", counts.bots)} of which bots had last` : ""}.${bots}${before}${touched}`;
  document.getElementById("older").hidden = choice.period !== data.free || data.days.isWhole;
  const provisional = data.provisional[choice.account];
  document.getElementById("provisional").hidden = !provisional || (until !== null && until < provisional);
  document.getElementById("provisional-since").textContent = provisional ?? "";
}

async function show() {
  if (chosen().period === data.free) await unpackRows();
  const choice = chosen();
  const period = data.periods[choice.period];
  const rows = {};
  for (const [name] of CHOICES) form.elements[name].value = choice[name];
  for (const name of ["since", "until"]) form.elements[name].value = period[name] ?? form.elements[name][name === "since" ? "min" : "max"];
  form.querySelector(".days").hidden = choice.period !== data.free;
  const unit = ["days", "weeks", "months"][choice.lines];
  const charts = data.charts.map((chart) => ({ ...chart, ...(chart[unit] ?? chart.days) }));
  for (const chart of charts) {
    chart.spreads = (what) => chart.spreadChoices.includes(what);
    rows[chart.name] = rowsOf(chart, choice);
    shownRows[chart.name] = sorted(chart, rows[chart.name]);
    showTable(chart, shownRows[chart.name]);
    showSql(chart, choice);
    const unsplit = document.querySelector(`#${chart.name} .unsplit`);
    if (unsplit) unsplit.hidden = choice.skill === ALL;
    const legend = document.querySelector(`#${chart.name} .marks`);
    if (legend) legend.hidden = !rows[chart.name].some((row) => row.is_marked);
  }
  const keys = charts.filter(({ name }) => name.startsWith("key-"));
  const isBot = data.skills[choice.skill - 1]?.is_bot ?? false;
  const before = period.before_since && keys.map((chart) => [chart.name, rowsOf(chart, { ...choice, period: ~choice.period })]);
  const unlike = before ? unlikeIn(choice) : "";
  showKeys(rows, before && Object.fromEntries(before), unlike, isBot);
  showLines(charts, rows, isBot);
  const [counted] = rows["key-conversations"];
  const all = counted?.conversation_count ?? 0;
  showChosen(choice, { all, bots: all - (counted?.people_conversation_count ?? 0) }, unlike);
  drawing = drawing.then(() => draw(charts, rows));
}

// Contents: the address keeps the choice, so that a link of the contents scrolls and stays out of it.

function followContents() {
  const links = [...document.querySelectorAll("nav a")];
  const targets = links.map((link) => document.querySelector(link.getAttribute("href")));
  const mark = () => {
    const above = targets.filter((target) => target.getBoundingClientRect().top < innerHeight / 2);
    links.forEach((link, place) => link.toggleAttribute("aria-current", place === above.length - 1));
  };
  links.forEach((link, place) => link.addEventListener("click", (event) => {
    event.preventDefault();
    targets[place].scrollIntoView();
    targets[place].tabIndex = -1;
    targets[place].focus({ preventScroll: true });
    mark();
  }));
  addEventListener("scroll", mark, { passive: true });
  mark();
}

// Start

async function start() {
  data = await (await unpacked(document.getElementById("data").textContent)).json();
  form.hidden = false;
  data.free = data.periods.length;
  data.days = await (await unpacked(document.getElementById("days").textContent)).json();
  document.getElementById("rows-since").textContent = data.days.since;
  document.getElementById("no-rows").hidden = data.days.since !== "";
  if (!data.days.since) form.elements.period.lastElementChild.remove();
  for (const name of ["since", "until"]) Object.assign(form.elements[name], { min: data.days.since, max: data.days.until });
  for (const { name, days } of data.charts) {
    makeSortable({ name, ...days }, show);
    offerCsv({ name, ...days });
  }
  followContents();
  form.addEventListener("change", choose);
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    location.hash = "all";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", show);
  await show();
}

start().catch((error) => {
  document.getElementById("failed").hidden = false;
  console.error(error);
});
