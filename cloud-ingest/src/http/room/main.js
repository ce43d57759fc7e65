// The page: its views, which one is shown, and what all of them have in common.

import { Refused, token } from "./api.js";
import { loadCharts } from "./chart.js";
import { Connection } from "./connection.js";
import { make, setText } from "./dom.js";
import { unlockForm } from "./unlock.js";
import { city } from "./views/city.js";
import { fleet } from "./views/fleet.js";
import { garages } from "./views/garages.js";
import { health } from "./views/health.js";
import { power } from "./views/power.js";
import { road } from "./views/road.js";
import { weather } from "./views/weather.js";

/** Tables are drawn at most so often, however many events come. */
const DRAW_MS = 500;

const views = [fleet, road, weather, power, garages, city, health].map((view) => view());
const place = document.getElementById("view");
const problem = make("p", { class: "notice bad", role: "alert", hidden: "" });
let shown = null;
let dirty = true;
let refreshed = 0;

const tabs = new Map(views.map((view) => [view.id, make("a", { href: `#${view.id}` }, view.title)]));
document.getElementById("tabs").append(...views.map((view) => make("li", {}, tabs.get(view.id))));
views.forEach(({ id, element }) => {
  element.classList.add("view");
  element.id = `view-${id}`;
  element.hidden = true;
  // Until it has been told anything, it has nothing to show: no figure is not 0.
  element.setAttribute("aria-busy", "true");
});
place.append(problem, ...views.map(({ element }) => element));

/** Shows the view that the address names, the first one without. */
function show(moved) {
  const view = views.find(({ id }) => `#${id}` === location.hash) ?? views[0];
  if (shown) shown.element.hidden = true;
  shown = view;
  view.element.hidden = false;
  tabs.forEach((tab, id) => (id === view.id ? tab.setAttribute("aria-current", "page") : tab.removeAttribute("aria-current")));
  document.title = `${view.title} · Fogline control room`;
  // Who chose it hears what it is, and goes on from there.
  if (moved) view.element.querySelector("h1")?.focus({ preventScroll: true });
  problem.hidden = true;
  draw();
  if (isLive()) refresh();
}

const isLive = () => document.body.dataset.connection === "live";

/** Asks for all that the view shows. A lost connection is told of elsewhere. */
async function refresh() {
  const view = shown;
  refreshed = Date.now();
  try {
    await view.refresh();
    view.element.setAttribute("aria-busy", "false");
    if (view === shown) problem.hidden = true;
  } catch (error) {
    if (view === shown) tell(error);
  }
  if (view === shown) draw();
}

function tell(error) {
  if (error instanceof Refused && error.status === 401) return connection.lock(error.message);
  if (!(error instanceof Refused)) return;
  shown.element.setAttribute("aria-busy", "false");
  setText(problem, `Not all of this can be shown: ${error.message}`);
  problem.hidden = false;
}

function draw() {
  dirty = false;
  Promise.resolve(shown.draw()).catch((error) => console.warn("a chart could not be drawn", error));
}

const connection = new Connection({
  changed(state, words, detail) {
    document.body.dataset.connection = state;
    setText(document.getElementById("connection"), words);
    unlock.show(state === "locked", detail);
    document.getElementById("forget").hidden = token.get() === null;
    // A link cannot send a token.
    document.getElementById("documents").hidden = state === "locked" || token.get() !== null;
  },
  event(name, data) {
    // It is asked for again when the view is next refreshed.
    if (name === "lagged") views.forEach((view) => view.stale?.());
    if (name === "health" || name === "leader") tellSite(data);
    for (const view of views) {
      if (view.on[name]?.(data) !== false && view === shown && view.on[name]) dirty = true;
    }
  },
  back() {
    // Events were missed: what all views know is old. Hidden ones ask when they are shown.
    views.forEach((view) => view.stale?.());
    refresh();
  },
});

function tellSite({ ingester, role, leader }) {
  const line = document.getElementById("site");
  if (ingester) line.dataset.name = ingester;
  const name = line.dataset.name ?? "This ingester";
  const words = role === "leading" ? `${name} leads` : `${name} stands by, ${leader ? `${leader} leads` : "nobody leads"}`;
  setText(line, words);
}

const unlock = unlockForm(() => connection.start());
place.prepend(unlock.element);
document.getElementById("forget").addEventListener("click", () => {
  token.forget();
  location.reload();
});
addEventListener("hashchange", () => show(true));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => shown && draw());
setInterval(() => {
  if (dirty && !document.hidden) draw();
  if (isLive() && !document.hidden && Date.now() - refreshed > shown.everyMs) refresh();
}, DRAW_MS);

show(false);
connection.start();
setTimeout(loadCharts, 1500);
