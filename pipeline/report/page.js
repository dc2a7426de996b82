"use strict";
// Shows key figures, tables, SQL and charts of the choice, from the numbers in the page. Rows are chosen as in cubes.py; durations are
// written as in formatting.py, which hands over all other formats.

const ALL = 0;
const STATES = { l: "loaded", e: "empty", r: "rejected", m: "missing", u: "unknown" };
const DAY = 86400000;
const MONDAY = 4; // days after 1970-01-01
const form = document.getElementById("choice");
const LABEL = 0.45; // of a drawing's width, at most
const views = [];
let data;
let drawing = Promise.resolve();

async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
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

// Place 0 of each stands in no address: of channels the first, of the others everything, and days.
const CHOICES = [
  ["channel", () => data.channels.map((option) => option.key)],
  ["account", () => ["", ...data.accounts.map((option) => option.key)]],
  ["skill", () => ["", ...data.skills.map((option) => option.key)]],
  ["period", () => data.periods.map((period) => period.key)],
  ["lines", () => ["days", "weeks"]],
];

function chosen() {
  const named = new URLSearchParams(location.hash.slice(1));
  const places = CHOICES.map(([name, names]) => [name, Math.max(ALL, names().indexOf(named.get(name) ?? ""))]);
  return Object.fromEntries(places);
}

function choose() {
  const named = new URLSearchParams();
  for (const [name, names] of CHOICES) {
    const place = Number(form.elements[name].value);
    if (place !== ALL) named.set(name, names()[place]);
  }
  location.hash = named.size ? named.toString() : "all";
}

// Rows

function rowsOf(chart, choice) {
  const cube = data.cubes[chart.cube];
  const { since, monday, until } = data.periods[Math.abs(choice.period)];
  const columns = Object.keys(cube);
  const fits = {
    channel: (place) => chart.spread === "channel" || place === choice.channel + 1,
    account: (place) => (chart.spreads("account") && choice.account === ALL ? place !== ALL : place === choice.account),
    skill: (place) => (chart.spreads("skill") && choice.skill === ALL ? place !== ALL : place === choice.skill),
    period: (place) => place === choice.period,
    [chart.day]: (day) => since === null || ((chart.isWeekly ? monday : since) <= day && day <= until),
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
    if (row.agent_name) row.agent_id = `${row.agent_name} (${row.agent_id})`;
    row.mark = markOf(chart, row);
    row.is_marked = row.mark !== "";
    row.texts = Object.fromEntries(chart.columns.map((name) => [name, cell(row[name], name)]));
    rows.push(row);
  }
  if (!chart.most) return rows;
  const highest = chart.columns.find((name) => name.endsWith("_hours"));
  return rows.sort((one, other) => other[highest] - one[highest]).slice(0, chart.most);
}

// The words for a local day or week that is not whole, or to which more can come, as in wholeness.py.
function markOf(chart, row) {
  if (!chart.isLocal || !chart.isByDay) return "";
  const found = data.marks[chart.isWeekly ? "weeks" : "days"][row.account]?.[row[chart.day]];
  if (found) return found;
  const since = data.provisional[row.account];
  return since && plusDays(row[chart.day], chart.isWeekly ? 6 : 0) >= since ? data.markOfProvisional : "";
}

const plusDays = (day, number) => new Date(Date.parse(day) + number * DAY).toISOString().slice(0, 10);

// Page

function showTable(chart, rows) {
  const body = document.querySelector(`#${chart.name}-table tbody`);
  if (!body) return;
  body.parentElement.querySelector("th").textContent = data.headings[chart.columns[0]];
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
  const { since, monday, until } = data.periods[choice.period];
  const skill = data.skills[choice.skill - 1]?.condition;
  const toSkill = skill?.replaceAll("skill_id", "target_skill_id");
  const conditions = [
    ...always,
    chart.hasChannel && chart.spread !== "channel" && data.channels[choice.channel]?.condition,
    data.accounts[choice.account - 1]?.condition,
    chart.hasSkill && (skill && chart.spread === "flow" ? `(${skill} or ${toSkill})` : skill),
    since && `${chart.day} between '${chart.isWeekly ? monday : since}' and '${until}'`,
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

function changeOf(key, row, former, unlike) {
  if (!key.parts || !row?.[key.cases] || !former?.[key.cases]) return "";
  const [one, other] = [row, former].map((counts) => interval(counts[key.parts], counts[key.cases]));
  const change = one.share - other.share;
  const low = change - Math.hypot(one.share - one.low, other.high - other.share);
  const high = change + Math.hypot(one.high - one.share, other.share - other.low);
  const points = (value) => `${value < 0 ? "\u2212" : "+"}${plain(rounded(100 * Math.abs(value), 1), 1)}`;
  const found = unlike ? `not judged, since ${unlike}` : low > 0 || high < 0 ? "clear" : "not clear";
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
  return [formatted(key.form, row[key.measure]), basis];
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
    set("-basis", isOfBots ? `bots: ${basis}` : basis);
    set("-bots", isOfBots || ofBotsValue === data.missing ? "" : `bots: ${ofBotsValue}, ${ofBotsBasis}`);
    set("-before", former ? `before: ${former[0]}, ${former[1]}` : "");
    const [row, formerRow] = [rows, before].map((found) => found?.[`key-${key.query}`][0]);
    set("-change", changeOf(key, row, formerRow, unlike));
  }
}

function showChosen(choice, count) {
  const { name, since, until, before_since, before_until } = data.periods[choice.period];
  const parts = [
    data.channels[choice.channel]?.name,
    choice.account === ALL ? "all accounts" : `account ${data.accounts[choice.account - 1].name}`,
    choice.skill === ALL ? "all skills" : `skill ${data.skills[choice.skill - 1].name}`,
    since === null ? name : `${name} (${since} to ${until})`,
  ];
  const unlike = data.unlike[choice.account][choice.period];
  const caution = unlike && ` The two are not alike, since ${unlike}.`;
  const before = since === null ? "" : ` Before: ${before_since} to ${before_until}.${caution}`;
  const touched = choice.lines && since !== null ? " A week that the period touches is drawn whole." : "";
  const bots = data.skills[choice.skill - 1]?.is_bot ? ` ${data.textOfBots}` : "";
  document.getElementById("chosen").textContent =
    `${parts.join(", ")}: ${formatted("count", count)} conversations.${bots}${before}${touched}`;
  const provisional = data.provisional[choice.account];
  document.getElementById("provisional").hidden = !provisional || (until !== null && until < provisional);
  document.getElementById("provisional-since").textContent = provisional ?? "";
}

function show() {
  const choice = chosen();
  const rows = {};
  for (const [name] of CHOICES) form.elements[name].value = choice[name];
  const charts = data.charts.map(({ days, weeks, ...chart }) => ({ ...chart, ...(choice.lines && weeks ? weeks : days) }));
  for (const chart of charts) {
    chart.spreads = (what) => chart.spreadChoices.includes(what);
    rows[chart.name] = rowsOf(chart, choice);
    showTable(chart, rows[chart.name]);
    showSql(chart, choice);
    const unsplit = document.querySelector(`#${chart.name} .unsplit`);
    if (unsplit) unsplit.hidden = choice.skill === ALL;
    const legend = document.querySelector(`#${chart.name} .marks`);
    if (legend) legend.hidden = !rows[chart.name].some((row) => row.is_marked);
  }
  const keys = charts.filter(({ name }) => name.startsWith("key-"));
  const before = keys.map((chart) => [chart.name, rowsOf(chart, { ...choice, period: -choice.period })]);
  const isBot = data.skills[choice.skill - 1]?.is_bot ?? false;
  if (choice.period === ALL) showKeys(rows, null, "", isBot);
  else showKeys(rows, Object.fromEntries(before), data.unlike[choice.account][choice.period], isBot);
  showChosen(choice, rows["key-conversations"][0]?.conversation_count ?? 0);
  drawing = drawing.then(() => draw(charts, rows));
}

// Charts

async function draw(charts, rows) {
  document.body.removeAttribute("data-drawn");
  views.splice(0).forEach((view) => view.finalize());
  for (const chart of charts.filter(({ panels }) => panels.length)) {
    let isEmpty = true;
    for (const [place, panel] of chart.panels.entries()) {
      const target = document.getElementById(`${chart.name}-${place}`);
      const drawn = rowsFor(panel, chart, rows[chart.name]);
      target.hidden = drawn.every((row) => row.value === null);
      isEmpty &&= target.hidden;
      if (!target.hidden) await drawPanel(target.querySelector(".chart"), filled(panel, chart, drawn, target.clientWidth), drawn);
    }
    document.querySelector(`#${chart.name} .nothing`).hidden = !isEmpty;
  }
  document.body.setAttribute("data-drawn", "yes");
}

async function drawPanel(place, spec, rows) {
  const options = { mode: "vega-lite", config: data.config, renderer: "svg", actions: false, ast: true };
  const looks = { defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  try {
    views.push(await vegaEmbed(place, { ...spec, data: { values: rows } }, { ...options, ...looks }));
  } catch (error) {
    place.textContent = "This browser could not draw the chart; its numbers are in the table below.";
    console.error(place.parentElement.id, error);
  }
}

function rowsFor(panel, chart, rows) {
  const dated = rows.filter((row) => row[chart.day] !== data.undated);
  const own = panel.account === ALL ? dated : dated.filter((row) => row.account === panel.account);
  const divisor = unitOf(panel, own)[0];
  const valued = own.map((row) => ({ ...row, value: row[panel.measure] === null ? null : row[panel.measure] / divisor }));
  if (chart.hidden.includes("states")) return valued.flatMap(runsOfHours);
  for (const row of valued) if (row.is_marked) row.texts = { ...row.texts, [chart.day]: `${row.texts[chart.day]} (${row.mark})` };
  if (chart.isByDay) return brokenAtGaps(valued, chart.day, chart.isWeekly ? 7 : 1);
  const isOne = new Set(valued.map((row) => row.account)).size <= 1;
  const named = (id, row) => (isOne ? id : `${id}\n${row.account_id}`);
  return valued.map((row) => ({ ...row, agent: named(row.agent_id, row), account_skill: named(row.skill_id, row) }));
}

function unitOf(panel, rows) {
  if (!panel.isDuration) return [1, ""];
  const longest = Math.max(0, ...rows.map((row) => row[panel.measure]));
  return [[1, "seconds"], [60, "minutes"], [3600, "hours"]].find(([seconds, unit]) => longest <= 300 * seconds || unit === "hours");
}

// A line ends where days or weeks are missing, and after one that is not whole: one without values comes next. The dashes
// of marked days begin at the day before.
function brokenAtGaps(rows, day, step) {
  const days = rows.sort((one, other) => one.account - other.account || (one[day] < other[day] ? -1 : 1));
  return days.flatMap((row, place) => {
    const following = days[place + 1];
    if (!following || following.account !== row.account) return [row];
    const next = plusDays(row[day], step);
    const isEnd = following[day] !== next || (row.is_marked && !following.is_marked);
    if (isEnd) return [row, { ...row, [day]: next, value: null, texts: {} }];
    return following.is_marked && !row.is_marked ? [row, { ...row, is_marked: true }] : [row];
  });
}

// Round times for an axis by the square root: about evenly apart on it, up to the largest value.
function roundTimes(most) {
  const round = (value) => {
    const ten = 10 ** Math.floor(Math.log10(value));
    return ten * [5, 3, 2, 1].find((factor) => factor * ten <= value * (1 + 1e-9));
  };
  const times = [0.2, 0.4, 0.6, 0.8, 1].map((place) => (most > 0 ? round(most * place ** 2) : 0));
  return [...new Set([0, ...times.filter((time) => time >= 1 || most < 2)])];
}

function runsOfHours(row) {
  return [...row.states.matchAll(/(.)\1*/g)].map((run) => {
    const from = row.first_hour + run.index;
    const to = from + run[0].length;
    const clock = (hour) => `${String(hour).padStart(2, "0")}:00`;
    return { ...row, from_hour: from, to_hour: to, hours: `${clock(from)} to ${clock(to)}`, state: STATES[run[1]] };
  });
}

// Days for an axis at even distances, as many as fit; Mondays, where it is a week or more. More than half a year has months.
function someDays(days, width, least) {
  const [first, last] = [Math.min(...days) / DAY, Math.max(...days) / DAY];
  const most = Math.max(1, Math.floor(width / 65));
  const step = [1, 2, 7, 14, 28].find((length) => length >= least && (last - first) / length < most) ?? 56;
  const start = step < 7 ? first : first + ((MONDAY - first) % 7 + 7) % 7;
  const found = [];
  for (let day = start; day <= last; day += step) found.push(day * DAY);
  return found.length ? found : [first * DAY];
}

// How much longer than the longest bar its axis is, so that the bar's number has room beside it.
function roomBeside(panel, rows, width) {
  const bars = width * (1 - LABEL) - 25;
  const number = 15 + 7.5 * Math.max(0, ...rows.map((row) => row.texts[panel.measure]?.length ?? 0));
  return bars / Math.max(bars - number, bars / 4);
}

// The drawing with everything that depends on its rows and room: unit, ends of scales, colours and legend of accounts.
function filled(panel, chart, rows, width) {
  const written = JSON.stringify(panel.spec).replaceAll("{unit}", unitOf(panel, rows)[1]);
  const spec = JSON.parse(chart.isWeekly ? written.replaceAll("local_date", chart.day).replaceAll("Local day", "Week of") : written);
  const values = rows.map((row) => row.value).filter((value) => value !== null);
  const days = rows.map((row) => Date.parse(row[chart.day]));
  const strong = [...values].sort((one, other) => one - other);
  const { x, y } = spec.encoding;
  const set = {
    days: chart.isByDay ? (Math.max(...days) - Math.min(...days)) / DAY + 1 : 1,
    room: Math.max(...values) * roomBeside(panel, rows, width) || 1,
    label: width * LABEL,
    lift: rows.some((row) => (row[y?.field] ?? "").toString().includes("\n")) ? -6 : 0, // the first of two lines stands at the middle
    entry: 30 + Math.min(width - 60, 7 * Math.max(...data.accounts.map((account) => account.name.length))),
    strongest: strong[Math.floor(strong.length * 0.98)] || 1, // a single odd hour must not make all others pale
  };
  for (const parameter of spec.params) parameter.value = set[parameter.name];
  const { step } = spec.height; // a height by step, as Vega-Lite knows it, does not go with a width that fits the page
  if (step) spec.height = step * new Set(rows.map((row) => row[spec.encoding.y.field])).size;
  if (y?.scale?.type === "sqrt") y.axis.values = roundTimes(Math.max(...values));
  // An expression, since the single values of a list would be ones that vega's interpreter does not know.
  if (chart.isByDay && set.days <= data.manyDays) x.axis.values = { expr: JSON.stringify(someDays(days, width, chart.isWeekly ? 7 : 1)) };
  const colour = spec.encoding.color;
  if (colour?.field === "state") colour.legend.columns = width > 450 ? 5 : 3;
  if (colour?.field !== "account_id") return spec;
  const accounts = [...new Set(rows.map((row) => row.account))].sort();
  colour.scale.domain = accounts.map((place) => data.accounts[place - 1].name);
  colour.scale.range = accounts.map((place) => `var(--series-${place})`);
  // A number, not an expression: the room for the legend is reserved before there is a width.
  colour.legend = accounts.length === 1 ? null : { ...colour.legend, columns: Math.max(1, Math.floor((width - 60) / set.entry)) };
  return spec;
}

// Start

async function start() {
  data = await unpacked(document.getElementById("data").textContent);
  form.hidden = false;
  form.addEventListener("change", choose);
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    location.hash = "all";
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  addEventListener("hashchange", show);
  show();
}

start().catch((error) => {
  document.getElementById("failed").hidden = false;
  console.error(error);
});
