// A chart of averages over time: a line for each region, node or figure.

import { Chart, plain, rem, seriesColour } from "./chart.js";
import { clockTime, NOTHING, number, quantity } from "./format.js";

const COLUMNS = [
  { title: "Series", kind: "head" },
  { title: "Newest", kind: "number" },
  { title: "At" },
  { title: "Mean", kind: "number" },
  { title: "Lowest", kind: "number" },
  { title: "Highest", kind: "number" },
];
/** Lines are told apart without their colours too. */
const DASHES = ["solid", "dash", "dot", "dashdot"];

/** Seconds are shown where ticks are closer than a minute. */
const TICKS = [{ dtickrange: [null, 59_999], value: "%H:%M:%S" }, { dtickrange: [60_000, null], value: "%H:%M" }];

export class LineChart {
  /** `unit` and `digits` are those of the values; `size` and `place` as of a Chart; `fromZero`: the axis begins at 0. */
  constructor({ title, unit, digits = 1, size, place, fromZero = false }) {
    Object.assign(this, { unit, digits, fromZero });
    this.chart = new Chart({ title, columns: COLUMNS, size, place });
    this.element = this.chart.element;
  }

  /** Draws a set of series whose points have `start_us` and `mean`, and may have `min` and `max`. */
  draw(set) {
    const entries = set.entries().filter(([, points]) => points.length > 0);
    const say = (value) => quantity(value, this.unit, this.digits);
    const bare = (value) => number(value, this.digits);
    const facts = entries.map(([name, points]) => ({ name, ...factsOf(points) }));
    const words = facts.map(({ name, last, low, high }) => `${name} ${bare(last.mean)} (${bare(low)} to ${bare(high)})`);
    const intro = `Now, in ${this.unit} (lowest to highest)`;
    const more = set.left > 0 ? `. Not drawn: ${number(set.left)} more` : "";
    const rows = facts.map(({ name, last, mean, low, high }) => ({
      key: name,
      cells: [name, say(last.mean), clockTime(last.start_us / 1000), say(mean), say(low), say(high)],
    }));
    return this.chart.draw({
      traces: entries.map(([name, points], place) => this.trace(name, points, place)),
      layout: {
        hovermode: "x unified",
        showlegend: entries.length > 1,
        xaxis: { type: "date", hoverformat: "%H:%M:%S", tickformatstops: TICKS, showgrid: false },
        yaxis: {
          ticksuffix: ` ${this.unit}`,
          nticks: 5,
          hoverformat: `,.${this.digits}f`,
          rangemode: this.fromZero ? "tozero" : "normal",
        },
      },
      words: words.length > 0 ? `${intro}: ${words.join("; ")}${more}` : "No figures in the last half hour",
      rows,
    });
  }

  trace(name, points, place) {
    const colour = seriesColour(place);
    return {
      type: "scatter",
      mode: points.length < 3 ? "lines+markers" : "lines",
      name: plain(name),
      x: points.map(({ start_us: us }) => localTime(us)),
      y: points.map(({ mean }) => mean),
      line: { color: colour, width: rem() * 0.125, dash: DASHES[Math.floor(place / 2) % DASHES.length] },
      marker: { color: colour },
      connectgaps: false,
    };
  }
}

function factsOf(points) {
  const lowest = points.map(({ mean, min }) => min ?? mean);
  const highest = points.map(({ mean, max }) => max ?? mean);
  return {
    last: points[points.length - 1],
    mean: points.reduce((sum, { mean }) => sum + mean, 0) / points.length,
    low: Math.min(...lowest),
    high: Math.max(...highest),
  };
}

/** Plotly shows times as they are written: this browser's local time. */
function localTime(us) {
  const date = new Date(us / 1000);
  if (Number.isNaN(date.getTime())) return NOTHING;
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, -1);
}
