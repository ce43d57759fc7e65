// The stream of events, and what there is to say about it: live, lost since when, or locked until a token comes.

import { request, Refused } from "./api.js";
import { readEvents } from "./sse.js";
import { clockTime } from "./format.js";

/** What the views live from. Single readings are not among it: averages and the newest do, and many readings would not. */
const EVENTS = "agent,average,limit,invoice,health,leader";
/** The server says something every 2 s, and a comment every 10 s at the latest. */
const SILENCE_MS = 12_000;
/** A tab that nobody looks at gives its stream back: a browser has six connections to a server for all its tabs. */
const REST_AFTER_MS = 30_000;
const RETRY_FIRST_MS = 500;
const RETRY_LAST_MS = 5_000;

/**
 * Keeps the events coming. Calls `changed(state, words)` with connecting, live, lost, locked or resting, `event(name, data)` with
 * each event, and `back()` whenever the events begin (again): what has changed meanwhile must be asked for then.
 */
export class Connection {
  constructor({ changed, event, back }) {
    Object.assign(this, { changed, event, back });
    this.heardMs = null;
    this.retryMs = RETRY_FIRST_MS;
    this.abort = null;
    this.timer = null;
    this.stopped = false;
    this.resting = false;
    this.restTimer = null;
    addEventListener("online", () => this.hurry());
    document.addEventListener("visibilitychange", () => this.seen(!document.hidden));
    setInterval(() => this.watch(), 1000);
  }

  /** Connects now, or again: with another token, for example. */
  start() {
    this.stop();
    this.stopped = false;
    this.resting = false;
    this.open();
  }

  /** Ends the stream and what waits for it. */
  stop() {
    const abort = this.abort;
    this.abort = null;
    this.stopped = true;
    clearTimeout(this.timer);
    this.timer = null;
    abort?.abort();
  }

  async open() {
    const abort = new AbortController();
    this.abort = abort;
    this.openedMs = Date.now();
    try {
      const answer = await request(`/api/v1/events?only=${EVENTS}`, { signal: abort.signal });
      this.heard();
      this.retryMs = RETRY_FIRST_MS;
      this.say("live", "Live");
      this.back();
      await readEvents(answer.body, () => this.heard(), (name, data) => this.take(name, data));
    } catch (error) {
      // Another one has been started.
      if (this.abort !== abort) return;
      if (error instanceof Refused && error.status === 401) return this.lock(error.message);
      if (error instanceof Refused) return this.retry(error.message);
    }
    if (this.abort === abort) this.retry(null);
  }

  take(name, data) {
    try {
      this.event(name, JSON.parse(data));
    } catch (error) {
      console.warn("an event that cannot be used", name, error);
    }
  }

  heard() {
    this.heardMs = Date.now();
  }

  /** A connection that is cut off without a word ends when it has been silent for too long. */
  watch() {
    const since = Math.max(this.heardMs ?? 0, this.openedMs ?? 0);
    if (!this.stopped && this.timer === null && Date.now() - since > SILENCE_MS) this.abort?.abort();
  }

  lock(detail) {
    this.stop();
    this.say("locked", "A token is needed", detail);
  }

  retry(detail) {
    this.abort = null;
    const since = this.heardMs === null ? "No connection yet" : `No connection since ${clockTime(this.heardMs)}`;
    const what = this.heardMs === null ? "" : " All figures are as of then.";
    this.say("lost", `${since}; trying again.${what}${detail ? ` The server says: ${detail}` : ""}`);
    // A little of chance, so that many walls do not ask at the same moment.
    this.timer = setTimeout(() => this.start(), this.retryMs * (0.75 + Math.random() / 2));
    this.retryMs = Math.min(this.retryMs * 2, RETRY_LAST_MS);
  }

  /** Somebody looks at the tab again, or nobody any more. */
  seen(looked) {
    clearTimeout(this.restTimer);
    if (!looked) this.restTimer = setTimeout(() => this.rest(), REST_AFTER_MS);
    else if (this.resting) this.start();
    else this.hurry();
  }

  rest() {
    if (this.stopped) return;
    this.stop();
    this.resting = true;
    this.say("resting", "Resting while this tab is hidden");
  }

  /** Tries at once when there is reason to hope. */
  hurry() {
    if (this.timer !== null) this.start();
  }

  say(state, words, detail = null) {
    this.changed(state, words, detail);
  }
}
