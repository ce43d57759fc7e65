// The speed of traffic over time, and the limit that each agent shows.

import { list, nowUs } from "../api.js";
import { RegionAverages } from "../averages.js";
import { head, make, panel, setAttribute, setText } from "../dom.js";
import { counted, number, timeOf } from "../format.js";
import { LineChart } from "../lines.js";

/** A page of the API. */
const LIMITS_MAX = 1000;
/** As many signs as a wall has room for. */
const SIGNS_MAX = 120;

export function road() {
  const averages = new RegionAverages("road", "speed_kmh");
  const limits = new Map();
  const chart = new LineChart({ title: "Average speed by region", unit: "km/h", size: "tall", place: "rest" });
  const signs = new Signs();
  const note = make("p", { class: "note" });
  const element = make("div", {}, head("Road", "Average speed in windows of 5 s, and the limits drawn from it"), chart.element,
    panel("Limits", null, "third", note, signs.element));
  let loaded = false;

  async function refresh() {
    const { items } = await list(`/api/v1/limits?limit=${LIMITS_MAX}`);
    limits.clear();
    items.forEach(take);
    if (!loaded) await averages.load();
    loaded = true;
  }

  function take(limit) {
    const key = `${limit.region}/${limit.agent}`;
    // An operator took back a limit, and none is computed.
    if (limit.key === "limit" && limit.body?.limit_kmh === null) return limits.delete(key);
    if (typeof limit.body?.limit_kmh !== "number") return false;
    if (!limits.has(key) && limits.size >= LIMITS_MAX) return false;
    const before = limits.get(key);
    if (before && (before.term > limit.term || (before.term === limit.term && before.seq > limit.seq))) return false;
    limits.set(key, limit);
    return true;
  }

  function draw() {
    const all = [...limits].sort(([a], [b]) => (a < b ? -1 : 1));
    signs.show(all.slice(0, SIGNS_MAX));
    const waiting = all.filter(([, limit]) => stateOf(limit).name === "waiting").length;
    const left = all.length > SIGNS_MAX ? ` The first ${SIGNS_MAX} are shown.` : "";
    const counts = `${counted(all.length, "limit")}, ${number(waiting)} of them not acknowledged by its agent yet.`;
    setText(note, all.length === 0 ? "No limit has been decided yet." : counts + left);
    return chart.draw(averages.set);
  }

  const stale = () => (loaded = false);
  return {
    id: "road", title: "Road", element, everyMs: 15_000, refresh, draw, stale,
    on: { average: (average) => averages.take(average), limit: take },
  };
}

/** The state of a limit: its name, and what to say of it. */
function stateOf({ acknowledged, fate, decided_us, ttl_ms }) {
  if (fate === "expired" || nowUs() > decided_us + ttl_ms * 1000) return { name: "old", words: "expired" };
  if (acknowledged) return { name: "shown", words: fate === "applied" ? "acknowledged" : `acknowledged, ${fate}` };
  return { name: "waiting", words: "not acknowledged yet" };
}

const STATE_CLASSES = { shown: "state good", waiting: "state warn", old: "state muted" };

/** The signs, by agent, which keep their elements. */
class Signs {
  constructor() {
    this.element = make("ul", { class: "signs" });
    this.signs = new Map();
  }

  show(limits) {
    const kept = new Set(limits.map(([key]) => key));
    for (const [key, sign] of this.signs) {
      if (!kept.has(key)) {
        sign.element.remove();
        this.signs.delete(key);
      }
    }
    limits.forEach(([key, limit], place) => {
      const sign = this.signs.get(key) ?? this.add(key);
      fill(sign, limit);
      const there = this.element.children[place];
      if (there !== sign.element) this.element.insertBefore(sign.element, there ?? null);
    });
  }

  add(key) {
    const sign = {
      plate: make("span", { class: "sign", role: "img" }),
      name: make("span", { class: "name" }),
      state: make("span", {}),
      when: make("span", { class: "muted" }),
    };
    sign.element = make("li", {}, sign.plate, sign.name, sign.state, sign.when);
    this.signs.set(key, sign);
    return sign;
  }
}

function fill(sign, limit) {
  const { name, words } = stateOf(limit);
  const speed = number(limit.body.limit_kmh);
  setText(sign.plate, speed);
  setAttribute(sign.plate, "class", `sign ${name}`);
  setAttribute(sign.plate, "aria-label", `Limit ${speed} km/h`);
  setText(sign.name, `${limit.agent} · ${limit.region}`);
  setText(sign.state, words);
  setAttribute(sign.state, "class", STATE_CLASSES[name]);
  const { by, until_us } = limit.body;
  setText(sign.when, by === "operator" ? `by operator until ${timeOf(until_us)}` : `since ${timeOf(limit.decided_us)}`);
}
