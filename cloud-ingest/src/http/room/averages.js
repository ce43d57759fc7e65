// The averages of a use case: the last half hour asked for, what comes since by events.

import { get, list, nowUs } from "./api.js";
import { SeriesSet, SERIES_MAX, SPAN_S, WINDOW_S } from "./series.js";

/** Averages of a field over whole regions. */
export class RegionAverages {
  constructor(kind, field) {
    Object.assign(this, { kind, field });
    this.set = new SeriesSet();
  }

  /** Takes an event; true when it was one of these. */
  take(average) {
    const ours = average.kind === this.kind && average.field === this.field && average.width_s === WINDOW_S;
    if (!ours || average.agent !== null) return false;
    this.set.put(average.region, average);
    return true;
  }

  /** Asks for what has been before. A region without such readings has no line. */
  async load() {
    const { items } = await list("/api/v1/regions?limit=100");
    const regions = items.map(({ region }) => region);
    // Empty regions cost a question each: there may be more of them than lines.
    for (const region of regions.slice(0, 4 * SERIES_MAX)) {
      for (const window of await this.windows(region)) this.set.put(region, window);
    }
  }

  async windows(region) {
    // Asked first: to ask for a curve that there is none of is an error.
    const any = await list(`/api/v1/readings/latest?${new URLSearchParams({ region, kind: this.kind, limit: "1" })}`);
    if (any.items.length === 0) return [];
    const asked = new URLSearchParams({
      region,
      kind: this.kind,
      field: this.field,
      width_s: String(WINDOW_S),
      from_us: String(Math.floor(nowUs() - SPAN_S * 1e6)),
      to_us: String(Math.floor(nowUs())),
    });
    const range = await get(`/api/v1/readings?${asked}`, { missing: true });
    return range?.items ?? [];
  }
}
