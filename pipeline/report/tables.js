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

// Numbers as they are, not as they are written for reading. A text that a spreadsheet would take for a formula gets an
// apostrophe: names come from customers' systems.
function csvOf(chart, rows) {
  const columns = rows.some((row) => row.is_marked) ? [...chart.columns, "mark"] : chart.columns;
  const field = (value) => {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = rows.map((row) => columns.map((name) => field(row[name])).join(","));
  return `${[columns.join(","), ...lines].join("\r\n")}\r\n`;
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
    link.download = `${chart.name}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  });
  figure.append(button);
}
