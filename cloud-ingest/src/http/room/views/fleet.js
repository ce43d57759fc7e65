// Who is online, what waits in the queues and for how long, at which broker, and what will never come.

import { get, nowUs } from "../api.js";
import { head, make } from "../dom.js";
import { counted, duration, NOTHING, number, timeOf } from "../format.js";
import { Table } from "../table.js";
import { Tiles } from "../tiles.js";

/** A page of the API, and as many rows as a browser likes to keep up to date. */
const AGENTS_MAX = 1000;
/** A queue whose oldest reading is younger than this is simply at work. */
const LATE_S = 30;

const COLUMNS = [
  { title: "Agent", kind: "head" },
  { title: "Region" },
  { title: "State" },
  { title: "Queue", kind: "number" },
  { title: "Lag", kind: "number" },
  { title: "Broker", kind: "text" },
  { title: "Last heard" },
  { title: "Gaps", kind: "number" },
];

export function fleet() {
  const agents = new Map();
  let more = false;
  const tiles = new Tiles();
  const table = new Table({ caption: "Agents", columns: COLUMNS, empty: "No agent matches" });
  const filter = make("input", { type: "search", id: "fleet-filter", placeholder: "name or region" });
  const note = make("p", { class: "note" });
  const bar = make("div", { class: "bar" }, make("h2", {}, "Agents"),
    make("span", {}, make("label", { for: "fleet-filter" }, "Filter "), filter));
  const element = make("div", {}, head("Fleet", "Who is there, and what waits in the queues"), tiles.element,
    make("section", { class: "panel" }, bar, note, table.element));
  filter.addEventListener("input", draw);

  async function refresh() {
    const page = await get(`/api/v1/agents?limit=${AGENTS_MAX}`);
    agents.clear();
    for (const agent of page.agents) agents.set(`${agent.region}/${agent.agent}`, known(agent));
    more = page.agents.length === AGENTS_MAX;
  }

  function take(status) {
    const key = `${status.region}/${status.agent}`;
    if (!agents.has(key) && agents.size >= AGENTS_MAX) return false;
    agents.set(key, { lost: 0, gaps: 0, broker: null, ...agents.get(key), ...status });
    return true;
  }

  function draw() {
    const all = [...agents.values()];
    tiles.show(figures(all));
    const wanted = filter.value.trim().toLowerCase();
    const matching = all.filter(({ agent, region }) => `${region} ${agent}`.includes(wanted));
    matching.sort((a, b) => (a.region + "/" + a.agent < b.region + "/" + b.agent ? -1 : 1));
    note.textContent = more ? `The first ${number(AGENTS_MAX)} are shown; the API has them all.` : "";
    table.show(matching.map((agent) => ({ key: `${agent.region}/${agent.agent}`, cells: cells(agent) })));
  }

  return { id: "fleet", title: "Fleet", element, everyMs: 10_000, refresh, draw, on: { agent: take } };
}

/** What is kept of an agent of the API. */
function known({ region, agent, broker, heard_us, status, streams }) {
  const { online = null, queued = null, oldest_us = null, dropped = 0 } = status ?? {};
  const lost = streams.reduce((sum, stream) => sum + stream.lost, 0);
  const gaps = streams.reduce((sum, stream) => sum + stream.gaps.length, 0);
  return { region, agent, broker: broker ?? null, heard_us, online, queued, oldest_us, dropped, lost, gaps };
}

/** How old the oldest waiting reading is, in seconds; none when nothing waits. */
function lag({ queued, oldest_us }) {
  return queued > 0 && typeof oldest_us === "number" ? Math.max(0, (nowUs() - oldest_us) / 1e6) : null;
}

function figures(agents) {
  const online = agents.filter((agent) => agent.online).length;
  const away = agents.length - online;
  const queued = agents.reduce((sum, agent) => sum + (agent.queued ?? 0), 0);
  const oldest = Math.max(0, ...agents.map((agent) => lag(agent) ?? 0));
  const lost = agents.reduce((sum, agent) => sum + agent.lost, 0);
  return [
    { name: "online", value: number(online), more: `of ${counted(agents.length, "agent")}` },
    {
      name: "offline",
      value: number(away),
      state: away > 0 ? "bad" : null,
      more: away > 0 ? "their readings wait" : "all are here",
    },
    { name: "readings wait", value: number(queued), more: "in all queues" },
    {
      name: "longest lag",
      value: duration(oldest),
      state: oldest > LATE_S ? "warn" : null,
      more: "age of the oldest that waits",
    },
    {
      name: "readings in gaps",
      value: number(lost),
      state: lost > 0 ? "warn" : null,
      more: lost > 0 ? "dropped or damaged" : "nothing is missing",
    },
  ];
}

function cells(agent) {
  const { region, agent: name, online, queued, broker, heard_us, lost, gaps } = agent;
  const age = lag(agent);
  const state = online === null ? { text: "unknown", state: "state muted" }
    : online ? { text: "online", state: "state good" } : { text: "offline", state: "state bad-text" };
  return [
    name,
    region,
    state,
    number(queued),
    { text: age === null ? NOTHING : duration(age), state: age > LATE_S ? "warn" : "" },
    broker ?? NOTHING,
    timeOf(heard_us),
    { text: lost > 0 ? `${number(lost)} in ${counted(gaps, "gap")}` : NOTHING, state: lost > 0 ? "warn" : "" },
  ];
}
