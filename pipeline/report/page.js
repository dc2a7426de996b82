"use strict";
const page = JSON.parse(document.getElementById("drawings").textContent);
for (const { target, spec } of page.charts) {
  const place = document.getElementById(target);
  vegaEmbed(place, spec, {
    mode: "vega-lite",
    config: page.config,
    renderer: "svg",
    actions: false,
    ast: true,
    defaultStyle: false,
    tooltip: { disableDefaultStyle: true },
  }).then(
    () => place.setAttribute("data-drawn", "yes"),
    (error) => {
      place.textContent = "This browser could not draw the chart; its numbers are in the table below.";
      console.error(target, error);
    },
  );
}
