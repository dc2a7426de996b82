"use strict";
// What a reader does with a table: sort it by a column, and take its rows away as CSV.

const sorts = {}; // by chart: the column, and whether the largest comes first
const shownRows = {};

// A table's headings become buttons: a first click sorts, a second one the other way, a third one gives the report's own order.
function makeSortable(chart, showAgain) {
  const table = document.getElementById(`${chart.name}-table`);
  if (!table) return;
  table.querySelectorAll("thead th").forEach((heading, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = heading.textContent;
    button.title = "Sort";
    button.addEventListener("click", () => {
      const column = chart.columns[place];
      const former = sorts[chart.name];
      const isText = data.texts.includes(column);
      if (former?.place !== place) sorts[chart.name] = { place, isDescending: !isText };
      else if (former.isDescending !== isText) sorts[chart.name] = { place, isDescending: isText };
      else delete sorts[chart.name];
      showAgain();
    });
    heading.replaceChildren(button);
  });
}

function sorted(chart, rows) {
  const sort = sorts[chart.name];
  document.querySelectorAll(`#${chart.name}-table thead th`).forEach((heading, place) => {
    if (place === sort?.place) heading.setAttribute("aria-sort", sort.isDescending ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  });
  if (!sort) return rows;
  const column = chart.columns[sort.place];
  const isNone = (value) => value === null || value === undefined;
  const order = (one, other) => {
    if (isNone(one) || isNone(other)) return isNone(one) - isNone(other); // no value stands last either way
    const found = typeof one === "string" ? one.localeCompare(other, "en", { numeric: true }) : one - other;
    return sort.isDescending ? -found : found;
  };
  return [...rows].sort((one, other) => order(one[column], other[column]));
}

const PLACES = { account_id: ["account", "accounts"], skill_id: ["skill", "skills"], target_skill_id: ["target_skill", "skills"] };

// A row's value of a column: ids and names in fields of their own, where a table has both in one.
function plainValue(row, name) {
  if (name.startsWith("agent_")) return row.agent[name];
  const [place, kind] = PLACES[name.replace("_name", "_id")] ?? [];
  if (!kind) return row[name];
  const { name: label, key } = data[kind][row[place] - 1] ?? {};
  return name in PLACES ? key : label === key ? "" : label?.slice(0, -(key.length + 3)); // less " (id)"
}

// Numbers as they are, not as they are written for reading. A text that a spreadsheet would take for a formula gets an
// apostrophe: names come from customers' systems.
function csvOf(chart, rows) {
  const own = rows.some((row) => row.is_marked) ? [...chart.columns, "mark"] : chart.columns;
  const columns = own.flatMap((name) => (PLACES[name] || name === "agent_id" ? [name, name.replace("_id", "_name")] : [name]));
  const field = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = rows.map((row) => columns.map((name) => field(plainValue(row, name))).join(","));
  return `${[columns.join(","), ...lines].join("\r\n")}\r\n`;
}

// The choice that a file's numbers are of: without it the files of two channels would have one name.
function wordsOf(chart) {
  const choice = chosen();
  const { since, until, key } = data.periods[choice.period];
  const channel = chart.hasChannel && chart.spread !== "channel" && data.channels[choice.channel]?.key;
  return [
    channel,
    data.accounts[choice.account - 1]?.key,
    chart.hasSkill && data.skills[choice.skill - 1]?.key,
    since ? `${since}-${until}` : key,
  ].filter(Boolean).join("-");
}

function offerCsv(chart) {
  const figure = document.getElementById(chart.name);
  if (!figure) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "csv";
  button.textContent = "CSV";
  button.title = "The numbers of this choice as a file";
  button.addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", csvOf(chart, shownRows[chart.name])], { type: "text/csv" }));
    link.download = `${chart.name}-${wordsOf(chart)}.csv`.replace(/[^\w.-]+/g, "_");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  figure.append(button);
}
