// How full garages are, the latest invoices, and what has to be cleared up. Plates are never shown: the server keeps them back.

import { get, list } from "../api.js";
import { Chart, colour, plain } from "../chart.js";
import { head, make, panel } from "../dom.js";
import { counted, duration, euro, number, timeOf } from "../format.js";
import { Table } from "../table.js";
import { Tiles } from "../tiles.js";

const GARAGES_MAX = 40;
const INVOICES_MAX = 50;
const CLARIFICATIONS_MAX = 50;

const WHAT = { exit_without_entry: "An exit without an entry", second_entry: "A second entry without an exit" };

export function garages() {
  let all = { occupied: null, capacity: null, items: [] };
  let invoices = [];
  let clarifications = [];
  const tiles = new Tiles();
  const chart = new Chart({
    title: "Occupancy",
    columns: [
      { title: "Garage", kind: "head" },
      { title: "Occupied", kind: "number" },
      { title: "Capacity", kind: "number" },
      { title: "Tariff, an hour", kind: "number" },
      { title: "Told at" },
    ],
  });
  const invoiceTable = new Table({
    caption: "Latest invoices",
    columns: [
      { title: "Garage", kind: "head" },
      { title: "Left" },
      { title: "Stayed", kind: "number" },
      { title: "Hours begun", kind: "number" },
      { title: "Price", kind: "number" },
    ],
    empty: "No invoice yet",
  });
  const clarificationTable = new Table({
    caption: "To be cleared up",
    columns: [{ title: "What", kind: "head" }, { title: "Garage" }, { title: "When" }, { title: "Car" }],
    empty: "Nothing has to be cleared up",
  });
  const element = make("div", {}, head("Garages", "Occupancy, and bills by the hour begun"), tiles.element, chart.element,
    panel("Latest invoices", null, "half", invoiceTable.element),
    panel("To be cleared up", "Cars are named by a keyed hash of their plate", "half", clarificationTable.element));

  async function refresh() {
    const { occupied, capacity, items } = await get(`/api/v1/garages?limit=${GARAGES_MAX}`);
    all = { occupied, capacity, items };
    invoices = (await list(`/api/v1/invoices?limit=${INVOICES_MAX}`)).items;
    clarifications = (await list(`/api/v1/clarifications?limit=${CLARIFICATIONS_MAX}`)).items;
  }

  function take(invoice) {
    if (invoices.some(({ id }) => id === invoice.id)) return false;
    invoices = [invoice, ...invoices].slice(0, INVOICES_MAX);
    return true;
  }

  function draw() {
    tiles.show(figures(all, invoices, clarifications));
    invoiceTable.show(invoices.map(({ id, garage, region, entered_us, left_us, hours, cents }) => ({
      key: String(id),
      cells: [`${garage} · ${region}`, timeOf(left_us), duration((left_us - entered_us) / 1e6), number(hours), euro(cents)],
    })));
    clarificationTable.show(clarifications.map(({ id, region, garage, what, ts_us, plate_hash }) => ({
      key: String(id),
      cells: [WHAT[what] ?? what, `${garage} · ${region}`, timeOf(ts_us), String(plate_hash).slice(0, 8)],
    })));
    return chart.draw(occupancy(all.items));
  }

  return { id: "garages", title: "Garages", element, everyMs: 3_000, refresh, draw, on: { invoice: take } };
}

function figures({ occupied, capacity, items }, invoices, clarifications) {
  const free = typeof capacity === "number" ? capacity - occupied : null;
  const [latest] = invoices;
  const unclear = clarifications.length;
  return [
    { name: "places free", value: number(free), more: `of ${number(capacity)} in ${counted(items.length, "garage")}` },
    { name: "places taken", value: number(occupied), more: capacity > 0 ? `${number((100 * occupied) / capacity)} %` : "" },
    { name: "latest invoice", value: euro(latest?.cents), more: latest ? timeOf(latest.left_us) : "none yet" },
    {
      name: "to be cleared up",
      value: number(unclear),
      state: unclear > 0 ? "warn" : null,
      more: unclear > 0 ? "see below" : "all bills are clear",
    },
  ];
}

function occupancy(items) {
  const names = items.map(({ garage, agent }) => `${garage} · ${agent}`);
  const bar = (name, values, fill) => ({
    type: "bar",
    orientation: "h",
    name,
    y: names.map(plain),
    x: values,
    marker: { color: fill },
    hovertemplate: `%{y}: %{x} ${name}<extra></extra>`,
  });
  const words = items.map(({ garage, occupied, capacity }) => `${garage}: ${number(occupied)} of ${number(capacity)} taken`);
  return {
    traces: [
      bar("taken", items.map(({ occupied }) => occupied), colour("series-1")),
      bar("free", items.map(({ occupied, capacity }) => Math.max(0, capacity - occupied)), colour("accent-soft")),
    ],
    layout: {
      barmode: "stack",
      bargap: 0.4,
      xaxis: { rangemode: "tozero" },
      yaxis: { type: "category", autorange: "reversed", showgrid: false, ticksuffix: "  " },
    },
    words: words.length > 0 ? words.join("; ") : "No garage has told yet",
    rows: items.map(({ region, agent, garage, occupied, capacity, tariff_cents_per_hour, ts_us }, place) => ({
      key: `${region}/${agent}/${garage}`,
      cells: [names[place], number(occupied), number(capacity), euro(tariff_cents_per_hour), timeOf(ts_us)],
    })),
  };
}
