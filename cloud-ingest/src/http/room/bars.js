// A chart of bars, one for each name.

import { Chart, colour, plain } from "./chart.js";
import { quantity } from "./format.js";

export class BarChart {
  /** `unit` and `digits` are those of the values; `named` is the title of what has a bar. */
  constructor({ title, unit, digits = 0, named, place, size }) {
    Object.assign(this, { unit, digits });
    this.chart = new Chart({ title, columns: [{ title: named, kind: "head" }, { title: "Value", kind: "number" }], place, size });
    this.element = this.chart.element;
  }

  /** Draws `{name, short, value}`; a value of null is a name without a bar. */
  draw(bars, series = "series-1") {
    const say = (value) => quantity(value, this.unit, this.digits);
    const known = bars.filter(({ value }) => typeof value === "number").sort((a, b) => b.value - a.value);
    const words = known.length === 0
      ? "No figures yet"
      : `Highest ${known[0].name}, ${say(known[0].value)}; lowest ${known.at(-1).name}, ${say(known.at(-1).value)}`;
    return this.chart.draw({
      traces: [{
        type: "bar",
        x: bars.map(({ short }) => plain(short)),
        y: bars.map(({ value }) => value),
        hovertext: bars.map(({ name, value }) => `${plain(name)}: ${say(value)}`),
        hoverinfo: "text",
        marker: { color: colour(series), cornerradius: 3 },
      }],
      layout: {
        bargap: 0.35,
        xaxis: { type: "category", showgrid: false, nticks: bars.length, tickangle: "auto" },
        yaxis: { ticksuffix: ` ${this.unit}`, rangemode: "tozero", nticks: 5 },
      },
      words,
      rows: bars.map(({ name, value }) => ({ key: name, cells: [name, say(value)] })),
    });
  }
}
