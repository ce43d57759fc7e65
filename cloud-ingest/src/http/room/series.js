// Windows of averages over time, as many as a chart shows and no more.

/** Half an hour of windows of 5 s. */
export const WINDOWS_MAX = 360;
export const WINDOW_S = 5;
export const SPAN_S = WINDOWS_MAX * WINDOW_S;
/** As many lines as one can tell apart. */
export const SERIES_MAX = 8;

/** Windows by their start, the newest so many. */
class Series {
  constructor(most) {
    this.most = most;
    this.points = [];
  }

  /** Puts a window in its place; one with the same start takes the place of the one before. */
  put(point) {
    const points = this.points;
    let place = points.length;
    while (place > 0 && points[place - 1].start_us > point.start_us) place -= 1;
    if (place > 0 && points[place - 1].start_us === point.start_us) points[place - 1] = point;
    else points.splice(place, 0, point);
    if (points.length > this.most) points.shift();
  }
}

/** Series by name, the first so many; `left` names how many others there were. */
export class SeriesSet {
  constructor({ most = WINDOWS_MAX, series = SERIES_MAX } = {}) {
    Object.assign(this, { most, limit: series });
    this.byName = new Map();
    this.others = new Set();
  }

  put(name, point) {
    let series = this.byName.get(name);
    if (!series) {
      if (this.byName.size >= this.limit) {
        if (this.others.size < 1000) this.others.add(name);
        return;
      }
      series = new Series(this.most);
      this.byName.set(name, series);
    }
    series.put(point);
  }

  /** Name and points of each, by name. */
  entries() {
    return [...this.byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, series]) => [name, series.points]);
  }

  get left() {
    return this.others.size;
  }
}
