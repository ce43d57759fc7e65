// The city: where nodes stand, which of them coordinates, and particulate matter over time.

import { get, list } from "../api.js";
import { Chart, colour, plain, rem } from "../chart.js";
import { head, make, panel } from "../dom.js";
import { counted, NOTHING, number, quantity, timeOf } from "../format.js";
import { LineChart } from "../lines.js";
import { SERIES_MAX, SeriesSet } from "../series.js";
import { Table } from "../table.js";
import { Tiles } from "../tiles.js";

/** Aggregates of a node that are asked for at first, and since. */
const AGGREGATES = 120;
const AGGREGATES_NEW = 6;
/** Averages in upload, one of each node and one of the whole city. */
const UPLOADS_MAX = 500;
/** A city is so many places wide and high. */
const CITY_SIDE = 100;
const UNIT = "µg/m³";
const GLOBAL = "whole city";

export function city() {
  let nodes = [];
  let sensors = [];
  let coordinator = null;
  let loaded = false;
  const averages = new SeriesSet({ most: 3 * AGGREGATES });
  const tiles = new Tiles();
  const map = new Chart({
    title: "Map",
    size: "square",
    place: "third",
    columns: [
      { title: "What", kind: "head" },
      { title: "Role" },
      { title: "u", kind: "number" },
      { title: "v", kind: "number" },
    ],
  });
  const chart = new LineChart({ title: "Particulate matter (PM-10)", unit: UNIT, size: "tall" });
  const table = new Table({
    caption: "Nodes of the city",
    columns: [
      { title: "Node", kind: "head" },
      { title: "Role" },
      { title: "u", kind: "number" },
      { title: "v", kind: "number" },
      { title: "Newest average", kind: "number" },
      { title: "At" },
    ],
    empty: "No node is connected",
  });
  const rest = make("div", { class: "rest stack" }, chart.element, panel("Nodes", null, "", table.element));
  const element = make("div", {}, head("City", "Particulate matter: nodes average locally, their coordinator over all"),
    tiles.element, map.element, rest);

  async function refresh() {
    nodes = (await get("/api/nodes", { missing: true })) ?? [];
    sensors = (await get("/api/v1/city/sensors", { missing: true }))?.items ?? [];
    coordinator = uploader((await list(`/api/v1/readings/latest?kind=city&limit=${UPLOADS_MAX}`)).items);
    const wanted = loaded ? AGGREGATES_NEW : AGGREGATES;
    await load(GLOBAL, `/api/measurements?n=${wanted}`);
    for (const { id } of nodes.slice(0, SERIES_MAX - 1)) {
      await load(id, `/api/measurements/${encodeURIComponent(id)}?n=${wanted}`);
    }
    loaded = true;
  }

  async function load(name, path) {
    for (const aggregate of (await get(path, { missing: true })) ?? []) {
      averages.put(name, { start_us: aggregate.ts_us, mean: aggregate.mean_ugm3 });
    }
  }

  function draw() {
    const newest = new Map(averages.entries().map(([name, points]) => [name, points[points.length - 1]]));
    const roles = nodes.map((node) => ({ ...node, coordinates: node.id === coordinator }));
    tiles.show(figures(roles, sensors, newest.get(GLOBAL)));
    table.show(roles.map((node) => ({
      key: node.id,
      cells: [
        node.id,
        roleOf(node),
        number(node.u),
        number(node.v),
        quantity(newest.get(node.id)?.mean, UNIT, 1),
        timeOf(newest.get(node.id)?.start_us),
      ],
    })));
    return Promise.all([map.draw(picture(roles, sensors)), chart.draw(averages)]);
  }

  const stale = () => (loaded = false);
  return { id: "city", title: "City", element, everyMs: 4_000, refresh, draw, stale, on: {} };
}

/** Who uploaded the newest average of the whole city: that is the coordinator's work. */
function uploader(readings) {
  const global = readings.filter(({ sensor }) => sensor === "global").sort((a, b) => b.ts_us - a.ts_us);
  return global[0]?.agent ?? null;
}

const roleOf = ({ coordinates }) => (coordinates ? "coordinator" : "node");

function figures(nodes, sensors, whole) {
  const coordinator = nodes.find(({ coordinates }) => coordinates);
  const where = coordinator ? `at ${coordinator.u}, ${coordinator.v}` : "none is known";
  const when = whole ? `at ${timeOf(whole.start_us)}` : "no average yet";
  return [
    { name: "nodes", value: number(nodes.length), more: "connected" },
    { name: "sensors", value: number(sensors.length), more: "have asked for a node" },
    { name: "coordinator", value: coordinator?.id ?? NOTHING, more: where },
    { name: GLOBAL, value: quantity(whole?.mean, UNIT, 1), more: when },
  ];
}

/** Nodes are squares, the coordinator is a star, sensors are small circles: shapes, not colours alone. */
function picture(nodes, sensors) {
  const marks = (name, places, marker) => ({
    type: "scatter",
    mode: "markers+text",
    name,
    marker,
    x: places.map(({ u }) => u),
    y: places.map(({ v }) => v),
    text: places.map(({ id }) => plain(id)),
    textposition: "top center",
    textfont: { color: colour("ink") },
    hovertemplate: "%{text} at %{x}, %{y}<extra></extra>",
  });
  const coordinators = nodes.filter(({ coordinates }) => coordinates);
  const others = nodes.filter(({ coordinates }) => !coordinates);
  const axis = (title) => ({ range: [-3, CITY_SIDE + 5], dtick: 20, title: { text: title } });
  return {
    traces: [
      {
        type: "scatter",
        mode: "markers",
        name: "sensor",
        marker: { symbol: "circle-open", size: rem() * 0.45, color: colour("muted") },
        x: sensors.map(({ u }) => u),
        y: sensors.map(({ v }) => v),
        text: sensors.map(({ node }) => plain(node)),
        hovertemplate: "sensor of %{text} at %{x}, %{y}<extra></extra>",
      },
      marks("node", others, { symbol: "square", size: rem() * 0.8, color: colour("series-1") }),
      marks("coordinator", coordinators, { symbol: "star", size: rem() * 1.2, color: colour("series-2") }),
    ],
    layout: { showlegend: true, hovermode: "closest", xaxis: axis("u"), yaxis: { ...axis("v"), scaleanchor: "x" } },
    words: `${counted(nodes.length, "node")}, ${counted(sensors.length, "sensor")}; ${
      coordinators.length > 0 ? `the coordinator is ${coordinators[0].id}` : "no coordinator is known"}`,
    rows: nodes.map((node) => ({ key: node.id, cells: [node.id, roleOf(node), number(node.u), number(node.v)] })),
  };
}
