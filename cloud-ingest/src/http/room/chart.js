// Charts by Plotly, which is loaded when the first one is to be shown. Each has the same figures in words and as a table.

import { make, setAttribute, setText } from "./dom.js";
import { Table } from "./table.js";

let loading = null;

/** Plotly itself, from this server. */
function plotly() {
  loading ??= new Promise((done, failed) => {
    const source = document.getElementById("main-script").dataset.charts;
    const script = make("script", { src: source });
    script.addEventListener("load", () => done(window.Plotly));
    script.addEventListener("error", () => {
      loading = null;
      script.remove();
      failed(new Error("the script for charts did not come"));
    });
    document.head.append(script);
  });
  return loading;
}

/** Loads it when nothing else is to be done, so that the first chart is there at once. */
export const loadCharts = () => plotly().catch(() => {});

const CONFIG = { displayModeBar: false, responsive: true, scrollZoom: false, doubleClick: false, showTips: false };

/** The colour of a name that the style sheet gives, for light or dark. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** The size of type, in pixels: on a wall all is larger. */
export const rem = () => parseFloat(getComputedStyle(document.documentElement).fontSize);

/** The colours of lines, by their place. */
export const seriesColour = (place) => colour(`series-${(place % 8) + 1}`);

/** A text as Plotly is to show it: it would take some markup and formats (`<b>`, `<a>`, `%{x}`, `$`) for its own. */
export const plain = (text) => String(text).replace(/[<>&$%{}]/g, (sign) => LIKE[sign]);
const LIKE = { "<": "‹", ">": "›", "&": "＆", $: "＄", "%": "％", "{": "(", "}": ")" };

/** What all axes have in common. */
function axis(given) {
  const line = colour("line");
  return { gridcolor: line, linecolor: line, zerolinecolor: line, automargin: true, fixedrange: true, ...given };
}

/** A chart: `columns` are those of its table, `size` a class of charts.css. */
export class Chart {
  constructor({ title, columns, size = "", place = "" }) {
    this.title = title;
    this.plot = make("div", { class: `chart ${size}`, role: "img", "aria-label": title });
    this.words = make("p", { class: "summary" }, "Waiting for figures");
    this.table = new Table({ caption: `${title}: figures`, columns, empty: "No figures yet", scroll: false });
    const details = make("details", {}, make("summary", {}, "Figures as a table"), this.table.element);
    this.element = make("figure", { class: `panel ${place}` }, make("figcaption", {}, title), this.words, this.plot, details);
    this.drawn = "";
  }

  /** Draws traces and layout of Plotly, with the summary in words and the rows of the table. */
  async draw({ traces, layout, words, rows }) {
    setText(this.words, words);
    setAttribute(this.plot, "aria-label", `${this.title}. ${words}`);
    this.table.show(rows);
    const Plotly = await plotly();
    // A view that is not shown has no size.
    if (!this.plot.isConnected || this.plot.clientWidth === 0) return;
    await Plotly.react(this.plot, traces, frame(layout, this.plot.clientWidth), CONFIG);
    if (!this.watching) {
      this.watching = new ResizeObserver(() => this.plot.clientWidth > 0 && Plotly.Plots.resize(this.plot));
      this.watching.observe(this.plot);
    }
  }
}

function frame({ xaxis = {}, yaxis = {}, margin = {}, ...layout }, width) {
  const size = rem() * 0.8;
  const ink = colour("ink");
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size, color: colour("muted") },
    hoverlabel: { bgcolor: colour("surface"), bordercolor: colour("line"), font: { color: ink, size } },
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { color: ink } },
    dragmode: false,
    margin: { l: 8, r: 8, t: 8, b: 8, ...margin },
    // As many as stand side by side without being turned.
    xaxis: axis({ nticks: Math.max(2, Math.min(8, Math.floor(width / (size * 8)))), tickangle: 0, ...xaxis }),
    yaxis: axis(yaxis),
    ...layout,
  };
}
