"use strict";
// Counts the numbers of days that the reader chooses, from the rows in the page: as cubes.py has them counted for the periods
// that it knows. days.py says which columns there are, and measures.py what is counted.

const NONE = -(2 ** 31);
const ARRAYS = { byte: Uint8Array, integer: Int32Array, double: Float64Array };
let tables = null;
const counted = new Map();

// Days, as texts of the form 2026-11-03

const dayNumber = (day) => Date.parse(day) / DAY;
// The first and the last day of the day, week or month that a day is in.
function firstDay(day, unit) {
  if (unit === "weeks") return plusDays(day, -((new Date(day).getUTCDay() + 6) % 7));
  return unit === "months" ? `${day.slice(0, -2)}01` : day;
}

function lastDay(day, unit) {
  const first = firstDay(day, unit);
  if (unit === "months") return plusDays(firstDay(plusDays(first, 31), unit), -1);
  return plusDays(first, unit === "weeks" ? 6 : 0);
}

const plusDays = (day, number) => new Date(Date.parse(day) + number * DAY).toISOString().slice(0, 10);

// The columns of each table, unpacked once.
async function unpackRows() {
  if (tables) return;
  const bytes = await (await unpacked(document.getElementById("rows").textContent)).arrayBuffer();
  let from = 0;
  const found = {};
  for (const [name, { length, kinds }] of Object.entries(data.days.tables)) {
    found[name] = kinds.map((kind) => {
      const until = from + length * ARRAYS[kind].BYTES_PER_ELEMENT;
      const column = new ARRAYS[kind](bytes.slice(from, until));
      from = until;
      return column;
    });
  }
  tables = found;
}

const isMissing = (value) => value === NONE || Number.isNaN(value);

// A number of some rows of a table; null where there is none.
function measured(measure, columns, rows) {
  const { kind, flags, share, divisor } = measure;
  if (kind === "difference" || kind === "ratio") {
    const [one, other] = measure.of.map((part) => measured(part, columns, rows));
    if (kind === "difference") return one - other;
    return other ? one / other : null;
  }
  const fitting = rows.filter((row) => flags.every((flag) => columns[flag][row]));
  if (kind === "count") return fitting.length;
  const values = Float64Array.from(fitting, (row) => columns[measure.column][row]).filter((value) => !isMissing(value));
  if (!values.length) return null;
  const sum = () => values.reduce((one, other) => one + other, 0);
  if (kind === "total") return sum() / divisor;
  if (kind === "mean") return sum() / values.length / divisor;
  if (kind === "largest") return values.reduce((one, other) => Math.max(one, other)) / divisor;
  values.sort();
  const place = share * (values.length - 1);
  const [low, high] = [values[Math.floor(place)], values[Math.ceil(place)]];
  return (low + (high - low) * (place - Math.floor(place))) / divisor;
}

// The numbers as the page has those of other periods.
function wired(value, name, isLarge) {
  if (value === null || Number.isInteger(value)) return value;
  const exact = Number(value.toFixed(9));
  return isLarge ? rounded(exact, name.endsWith("_share") ? 3 : 1) : exact;
}

// The cube of the days from `since` to `until`, without a column of periods.
function countedCube(name, since, until) {
  const key = [name, since, until].join(" ");
  if (!counted.has(key)) counted.set(key, count(data.days.cubes[name], dayNumber(since), dayNumber(until)));
  return counted.get(key);
}

function count(cube, since, until) {
  const columns = tables[cube.table];
  const names = Object.keys(cube.keys);
  const keys = Object.values(cube.keys).map((place) => columns[place]);
  const conditions = cube.conditions.map((place) => columns[place]);
  const [day, account, skill] = [cube.day, cube.account, cube.skill].map((place) => columns[place]);
  const isByAgent = names.includes("agent");
  const groups = new Map();
  for (let row = 0; row < day.length; row++) {
    if (day[row] < since || day[row] > until || !conditions.every((condition) => condition[row])) continue;
    const fixed = keys.map((column) => column[row]);
    for (const ofAccount of isByAgent ? [account[row]] : [account[row], ALL]) {
      for (const ofSkill of skill ? [skill[row], ALL] : [ALL]) {
        const values = [...fixed, ofAccount, ofSkill];
        const group = values.join();
        if (!groups.has(group)) groups.set(group, { values, rows: [] });
        groups.get(group).rows.push(row);
      }
    }
  }
  const order = (one, other) => {
    const place = one.values.findIndex((value, index) => value !== other.values[index]);
    return place < 0 ? 0 : one.values[place] - other.values[place];
  };
  const sorted = [...groups.values()].sort(order);
  const found = {};
  names.forEach((name, place) => { found[name] = sorted.map(({ values }) => (values[place] === NONE ? null : values[place])); });
  found.account = sorted.map(({ values }) => values.at(-2));
  if (skill) found.skill = sorted.map(({ values }) => values.at(-1));
  if (isByAgent) {
    found.agent_id = found.agent.map((place) => data.days.agents[place]?.[0]);
    found.agent_name = found.agent.map((place) => data.days.agents[place]?.[1]);
    delete found.agent;
  }
  for (const [name, measure] of Object.entries(cube.measures)) {
    found[name] = sorted.map(({ rows }) => wired(measured(measure, columns, rows), name, cube.isLarge));
  }
  return found;
}

// Days without a gap, from the first to the last, as their number.
const overlap = (runs, since, until) => runs.reduce((sum, [from, to]) => {
  const days = (Math.min(dayNumber(to), dayNumber(until)) - Math.max(dayNumber(from), dayNumber(since))) + 1;
  return sum + Math.max(0, days);
}, 0);

// Why a period can't be judged by the one before it, as wholeness.py says it.
function unlikeOf({ whole, provisional }, now, before) {
  const reasons = [];
  for (const [name, [since, until]] of [["this period", now], ["the period before", before]]) {
    const all = dayNumber(until) - dayNumber(since) + 1;
    const found = overlap(whole, since, until);
    if (found < all) reasons.push(`${name} has ${found} of ${all} whole day${all === 1 ? "" : "s"}`);
    if (overlap(provisional, since, until)) reasons.push(`days of ${name} are provisional`);
  }
  return reasons.join(" and ");
}

function unlikeIn({ account, period }) {
  if (period !== data.free) return data.unlike[account][period];
  const { since, until, before_since, before_until } = data.periods[period];
  return unlikeOf(data.known[account], [since, until], [before_since, before_until]);
}

// A period of the reader's own days, as far as the page has their rows; without days before where it lacks the rows of these.
function periodOf(first, last) {
  const within = (day) => [data.days.since, day, data.days.until].sort()[1];
  const [since, until] = [within(first), within(last)];
  const [before_since, before_until] = [plusDays(since, dayNumber(since) - dayNumber(until) - 1), plusDays(since, -1)];
  const isThere = data.days.isWhole ? before_until >= data.days.since : before_since >= data.days.since;
  return { name: "", since, until, ...(isThere ? { before_since, before_until } : {}) };
}
