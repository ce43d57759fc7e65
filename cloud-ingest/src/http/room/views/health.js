// How the ingester is: rates, the time from a sensor to the store, what failed, and readings that the store refuses.

import { change, get, list, Refused } from "../api.js";
import { head, make, panel, setText } from "../dom.js";
import { bytes, counted, NOTHING, number, quantity, timeOf } from "../format.js";
import { LineChart } from "../lines.js";
import { SeriesSet } from "../series.js";
import { Table } from "../table.js";
import { Tiles } from "../tiles.js";

/** A quarter of an hour of figures, one every 2 s. */
const FIGURES_MAX = 450;
const LETTERS_MAX = 100;

export function health() {
  const rates = new SeriesSet({ most: FIGURES_MAX });
  const latency = new SeriesSet({ most: FIGURES_MAX });
  const rateChart = new LineChart({ title: "Readings a second", unit: "/s", place: "half", fromZero: true });
  const latencyChart = new LineChart({
    title: "From a reading's time to the store",
    unit: "ms",
    digits: 0,
    place: "half",
    fromZero: true,
  });
  const tiles = new Tiles();
  const told = make("p", { class: "notice", role: "status", hidden: "" });
  const facts = new Table({
    caption: "The ingester",
    columns: [{ title: "What", kind: "head" }, { title: "How", kind: "text" }],
    empty: "Nothing is known yet",
    scroll: false,
  });
  const letters = new Table({
    caption: "Dead letters",
    columns: [
      { title: "Agent", kind: "head" },
      { title: "When" },
      { title: "Reading", kind: "text" },
      { title: "Why", kind: "text" },
      { title: "What to do" },
    ],
    empty: "None: the store has taken everything",
  });
  let now = null;
  let since = null;
  let dead = { items: [], more: false };
  const note = "Readings that the store refuses for good. An operator can have one tried again, or discard it.";
  const element = make("div", {}, head("Health", "Of this ingester"), tiles.element, rateChart.element, latencyChart.element,
    panel("Dead letters", note, "", told, letters.element), panel("Ingester", null, "", facts.element));

  function take(figures) {
    const start_us = Date.now() * 1000;
    const seconds = (start_us - (since?.at_us ?? start_us)) / 1e6;
    // It counts from 0 when it is started again; over less than a second a count says nothing.
    if (since && seconds >= 1 && figures.readings_total >= since.readings_total) {
      rates.put("received", { start_us, mean: (figures.readings_total - since.readings_total) / seconds });
    }
    if (!since || seconds >= 1) since = { at_us: start_us, readings_total: figures.readings_total };
    now = figures;
    if (typeof figures.readings_per_s === "number") rates.put("stored", { start_us, mean: figures.readings_per_s });
    if (figures.latency_ms) {
      latency.put("half within", { start_us, mean: figures.latency_ms.p50 });
      latency.put("99 of 100 within", { start_us, mean: figures.latency_ms.p99 });
    }
    return true;
  }

  async function refresh() {
    // Events bring all the later ones, and evenly.
    if (!now) take(await get("/api/v1/health"));
    dead = await list(`/api/v1/dead-letters?limit=${LETTERS_MAX}`);
  }

  /** Asks for the change, says what came of it, and shows what is left. */
  async function act(method, path, done) {
    try {
      await change(method, path);
      setText(told, done);
    } catch (error) {
      setText(told, error instanceof Refused ? `Not done: ${error.message}` : "Not done: the server did not answer");
    }
    told.hidden = false;
    dead = await list(`/api/v1/dead-letters?limit=${LETTERS_MAX}`).catch(() => dead);
    draw();
  }

  function buttons(letter) {
    const path = `/api/v1/dead-letters/${encodeURIComponent(letter.id)}`;
    const which = `${letter.agent} ${letter.seq}`;
    const retry = make("button", { type: "button", "aria-label": `Retry ${which}` }, "Retry");
    const discard = make("button", { type: "button", class: "danger", "aria-label": `Discard ${which}` }, "Discard");
    retry.addEventListener("click", () => act("POST", `${path}/retry`, `Reading ${which} is tried again.`));
    discard.addEventListener("click", () => {
      const sure = confirm(`Discard the reading ${which}? It cannot be had again.`);
      if (sure) act("DELETE", path, `Reading ${which} is discarded.`);
    });
    return make("span", { class: "buttons" }, retry, discard);
  }

  function draw() {
    if (now) {
      tiles.show(figures(now));
      facts.show(factsOf(now).map(([what, how]) => ({ key: what, cells: [what, how] })));
    }
    letters.show(dead.items.map((letter) => ({
      key: String(letter.id),
      cells: [
        `${letter.agent} · ${letter.region}`,
        timeOf(letter.at_us),
        readingOf(letter),
        `${letter.reason}: ${letter.detail}`,
        () => buttons(letter),
      ],
    })));
    return Promise.all([rateChart.draw(rates), latencyChart.draw(latency)]);
  }

  const stale = () => {
    now = null;
    since = null;
  };
  return { id: "health", title: "Health", element, everyMs: 10_000, refresh, draw, stale, on: { health: take } };
}

function readingOf({ seq, reading }) {
  const { sensor, kind, fields, ts_us } = reading ?? {};
  const values = Object.entries(fields ?? {}).map(([name, value]) => `${name} ${value}`).join(", ");
  return `${number(seq)} · ${kind ?? NOTHING} ${sensor ?? ""} · ${values} · ${timeOf(ts_us)}`;
}

function figures({ readings_per_s, latency_ms, store_errors_total, store_down, dead_total, connected, brokers }) {
  const away = brokers.length - connected.length;
  const errors = counted(store_errors_total, "error");
  return [
    { name: "readings a second", value: number(readings_per_s, 1), more: "stored, in the last 10 s" },
    { name: "to the store", value: quantity(latency_ms?.p50, "ms"), more: `99 of 100 in ${quantity(latency_ms?.p99, "ms")}` },
    {
      name: "store",
      value: store_down ? "down" : "up",
      state: store_down ? "bad" : null,
      more: store_down ? `${errors}; ${store_down}` : errors,
    },
    {
      name: "dead letters",
      value: number(dead_total),
      state: dead_total > 0 ? "warn" : null,
      more: dead_total > 0 ? "since the start; see below" : "since the start",
    },
    {
      name: "brokers connected",
      value: `${number(connected.length)} of ${number(brokers.length)}`,
      state: connected.length === 0 ? "bad" : away > 0 ? "warn" : null,
      more: connected.join(", ") || "none",
    },
  ];
}

const STANDBY = new Map([
  [true, "a standby has each billing reading too"],
  [false, "no standby: bills are on this ingester alone"],
]);

function factsOf(health) {
  const { ingester, version, role, leader, term, agents, held_bytes, billing } = health;
  const { readings_total, stored_total, duplicates_total, out_of_range_total } = health;
  return [
    ["Name and version", `${ingester}, ${version}`],
    ["Role", `${role}; leader: ${leader ?? "none"}; term ${number(term)}`],
    ["Agents in memory", number(agents)],
    ["Readings received", `${number(readings_total)}, of them ${number(duplicates_total)} more than once`],
    ["Readings stored", number(stored_total)],
    ["Values out of range", `${number(out_of_range_total)}: stored, marked, not averaged`],
    ["Between network and store", bytes(held_bytes)],
    ["Billing", STANDBY.get(billing?.standby) ?? "not known"],
  ];
}
