"use strict";
// Draws the charts of the choice with Vega-Lite: page.js chooses the rows, style.py has the drawings without them.

const STATES = { l: "loaded", e: "empty", r: "rejected", m: "missing", u: "unknown" };
const MONDAY = 4; // days after 1970-01-01
const LABEL = 0.45; // of a drawing's width, at most
const FEW_DAYS = 8; // too few to tell an odd one
const AROUND = 700; // square pixels around a point
const views = [];

async function draw(charts, rows) {
  document.body.removeAttribute("data-drawn");
  views.splice(0).forEach((view) => view.finalize());
  for (const chart of charts.filter(({ panels }) => panels.length)) {
    let isEmpty = true;
    for (const [place, panel] of chart.panels.entries()) {
      const part = document.getElementById(`${chart.name}-${place}`);
      const drawn = rowsFor(panel, chart, rows[chart.name]);
      part.hidden = drawn.every((row) => row.value === null);
      isEmpty &&= part.hidden;
      const target = targetOf(panel, chart, drawn);
      const axis = readable(panel, chart, drawn, target);
      part.classList.toggle("picks", !chart.isByDay && drawn.some((row) => row.skill || row.account));
      const note = part.querySelector(".note");
      const strongest = strengthOf(drawn);
      note.textContent = [
        axis && noteOf(panel, chart, axis, drawn),
        target !== null && `Dotted: the target, ${formatted(data.targets[panel.measure].form, data.targets[panel.measure].values[chosen().account])}.`,
        panel.isOfStrength && beyondStrength(panel, drawn, strongest),
      ].filter(Boolean).join(" ");
      for (const row of drawn) row.point = row.is_marked ? "marked" : axis && row.value > axis.until ? "beyond" : "whole";
      if (part.hidden) continue;
      const spec = filled(panel, chart, drawn, axis, part.clientWidth);
      await drawPanel(part.querySelector(".chart"), chart.isByDay && chart.isLocal ? layered(spec, target) : spec, drawn);
    }
    document.querySelector(`#${chart.name} .nothing`).hidden = !isEmpty;
  }
  document.body.setAttribute("data-drawn", "yes");
}

async function drawPanel(place, spec, rows) {
  const options = { mode: "vega-lite", config: data.config, renderer: "svg", actions: false, ast: true };
  const looks = { defaultStyle: false, tooltip: { disableDefaultStyle: true } };
  try {
    const view = await vegaEmbed(place, { ...spec, data: { values: rows } }, { ...options, ...looks });
    view.view.addEventListener("click", (_, mark) => mark?.datum && pick(mark.datum));
    views.push(view);
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
  if (chart.isByDay) return brokenAtGaps(valued, chart.day, chart.unit);
  if (panel.cases) for (const row of valued) row.is_few = row[panel.cases] < data.fewCases;
  const isOne = new Set(valued.map((row) => row.account)).size <= 1;
  const safe = (id) => (id in {} ? `${id} ` : id); // Vega takes the name of a property of every object for one
  const named = (id, row) => (isOne ? safe(id ?? "") : `${id}\n${row.account_id}`);
  return valued.map((row) => ({ ...row, agent: named(row.agent_id, row), account_skill: named(row.skill_id, row) }));
}

function unitOf(panel, rows) {
  if (!panel.isDuration) return [1, ""];
  const longest = Math.max(0, ...rows.map((row) => row[panel.measure]));
  return [[1, "seconds"], [60, "minutes"], [3600, "hours"]].find(([seconds, unit]) => longest <= 300 * seconds || unit === "hours");
}

// A line ends where days, weeks or months are missing, and after one that is not whole: one without values comes next. The dashes
// of marked days begin at the day before.
function brokenAtGaps(rows, day, unit) {
  const days = rows.sort((one, other) => one.account - other.account || (one[day] < other[day] ? -1 : 1));
  return days.flatMap((row, place) => {
    const following = days[place + 1];
    if (!following || following.account !== row.account) return [row];
    const next = plusDays(lastDay(row[day], unit), 1);
    const isEnd = following[day] !== next || (row.is_marked && !following.is_marked);
    if (isEnd) return [row, { ...row, [day]: next, value: null, texts: {} }];
    return following.is_marked && !row.is_marked ? [row, { ...row, is_marked: true, isStart: true }] : [row];
  });
}

// The part of an axis of times that is worth reading: up to the largest value of whole days, unless it is far beyond nine in ten
// of them; from 0, unless all lie in the upper half, where differences would not be seen.
function readable(panel, chart, rows, target) {
  if (!panel.isDuration || !chart.isByDay) return null;
  const timed = rows.filter((row) => row.value !== null);
  const whole = timed.filter((row) => !row.is_marked);
  const values = (whole.length ? whole : timed).map((row) => row.value).sort((one, other) => one - other);
  if (!values.length) return null;
  const [most, usual] = [values.at(-1), values[Math.floor(0.9 * (values.length - 1))]];
  const isOdd = values.length >= FEW_DAYS && usual > 0 && most > 3 * usual;
  const end = isOdd ? 1.2 * usual : 1.5 * most;
  const until = Math.max(target ?? 0, ...timed.map((row) => row.value).filter((value) => value <= end));
  return { until, isFromZero: timed.some((row) => row.value < until / 2) };
}

// The words below a drawing: the days beyond its axis, and an axis that does not begin at 0.
function noteOf(panel, chart, axis, rows) {
  const beyond = rows.filter((row) => row.value > axis.until && !row.isStart);
  const [first] = [...beyond].sort((one, other) => other.value - one.value);
  const unit = chart.unit.slice(0, -1);
  const count = `${plain(beyond.length, 0)} ${beyond.length === 1 ? unit : `${unit}s`}`;
  return [
    first && `Beyond the axis, as triangles or crosses at its end: ${count}, up to ${duration(first[panel.measure])} (${first[chart.day]}).`,
    !axis.isFromZero && "The axis does not begin at 0.",
  ].filter(Boolean).join(" ");
}

// The value of the strongest colour: a single odd hour must not make all others pale.
function strengthOf(rows) {
  const values = rows.filter((row) => row.value !== null);
  const many = values.filter((row) => !row.is_few);
  const strong = (many.length ? many : values).map((row) => row.value).sort((one, other) => one - other);
  return strong[Math.floor(strong.length * 0.98)] || 1;
}

// The fields that have the strongest colour, though their values are larger than its own.
function beyondStrength(panel, rows, strongest) {
  const beyond = rows.filter((row) => row.value > strongest && !row.is_few);
  const most = beyond.reduce((one, row) => (one && one.value >= row.value ? one : row), null);
  const value = most && (panel.isDuration ? duration(most[panel.measure]) : most.texts[panel.measure]);
  return most && `${plain(beyond.length, 0)} ${beyond.length === 1 ? "field has" : "fields have"} more than the strongest colour stands for, up to ${value}.`;
}

// The target of a line, in the drawing's unit; null without one for the account chosen.
function targetOf(panel, chart, rows) {
  const wanted = panel.hasTarget ? data.targets[panel.measure].values[chosen().account] : null;
  return wanted === null ? null : wanted / unitOf(panel, rows)[0];
}

// A drawing of lines with room around each point in which the point's numbers are shown, and with the target as a dotted line.
function layered({ mark, encoding, layer, ...frame }, target) {
  const lines = layer ? layer.map((part) => ({ ...part, encoding: { ...encoding, ...part.encoding } })) : [{ mark, encoding }];
  const { x, y: value, tooltip } = lines.at(-1).encoding;
  lines.push({ mark: { type: "point", filled: true, size: AROUND, opacity: 0 }, encoding: { x, y: value, tooltip } });
  if (target === null) return { ...frame, layer: lines };
  const one = { data: { values: [{}] } }; // or the line would be drawn once for each row
  const y = { datum: target };
  const line = { type: "rule", color: "currentColor", strokeDash: [2, 3], opacity: 0.75 };
  return { ...frame, layer: [...lines, { ...one, mark: line, encoding: { y } }] };
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
function filled(panel, chart, rows, axis, width) {
  const written = JSON.stringify(panel.spec).replaceAll("{unit}", unitOf(panel, rows)[1]);
  const spec = JSON.parse(chart.isLocal && chart.isByDay ? written.replaceAll("local_date", chart.day).replaceAll("Local day", data.headings[chart.day]) : written);
  const values = rows.map((row) => row.value).filter((value) => value !== null);
  const days = rows.map((row) => Date.parse(row[chart.day]));
  const { x, y } = spec.encoding;
  const set = {
    days: chart.isByDay ? (Math.max(...days) - Math.min(...days)) / DAY + 1 : 1,
    room: Math.max(...values) * roomBeside(panel, rows, width) || 1,
    label: width * LABEL,
    lift: rows.some((row) => (row[y?.field] ?? "").toString().includes("\n")) ? -6 : 0, // the first of two lines stands at the middle
    entry: 30 + Math.min(width - 60, 7 * Math.max(...data.accounts.map((account) => account.name.length))),
    strongest: strengthOf(rows),
  };
  for (const parameter of spec.params) parameter.value = set[parameter.name];
  const { step } = spec.height; // a height by step, as Vega-Lite knows it, does not go with a width that fits the page
  if (step) spec.height = step * new Set(rows.map((row) => row[spec.encoding.y.field])).size;
  if (axis) Object.assign(y.scale, { domainMax: axis.until, clamp: true, zero: axis.isFromZero });
  // An expression, since the single values of a list would be ones that vega's interpreter does not know.
  if (chart.isByDay && set.days <= data.manyDays) x.axis.values = { expr: JSON.stringify(chart.unit === "months" ? [...new Set(days)] : someDays(days, width, chart.unit === "weeks" ? 7 : 1)) };
  if (chart.unit === "months" && chart.isByDay) x.axis.labelExpr = "utcFormat(datum.value, '%b %Y')";
  const colour = spec.encoding.color;
  if (colour?.field === "state") colour.legend.columns = width > 450 ? 5 : 3;
  if (colour?.field !== "account_id") return spec;
  const accounts = [...new Set(rows.map((row) => row.account))].sort();
  if (accounts.length > 1) spec.layer = spec.layer?.filter((part) => part.mark.type !== "area"); // bands would hide each other
  colour.scale.domain = accounts.map((place) => data.accounts[place - 1].name);
  colour.scale.range = accounts.map((place) => `var(--series-${place})`);
  // A number, not an expression: the room for the legend is reserved before there is a width.
  colour.legend = accounts.length === 1 ? null : { ...colour.legend, columns: Math.max(1, Math.floor((width - 60) / set.entry)) };
  return spec;
}
