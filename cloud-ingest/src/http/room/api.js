// Asking the ingester: with a token where one was entered, and with the server's clock.

const TOKEN_KEY = "fogline-token";
/** An answer that takes longer is one that does not come. */
const ANSWER_MS = 15_000;

/** A refusal or a failure that the server has told of. */
export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

/** The token for as long as this tab lives; null when none was entered. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN_KEY),
  set: (text) => sessionStorage.setItem(TOKEN_KEY, text),
  forget: () => sessionStorage.removeItem(TOKEN_KEY),
};

/** How far the server's clock is ahead of this one, in milliseconds. */
let aheadMs = 0;

/** Now, by the server's clock, in microseconds. */
export const nowUs = () => (Date.now() + aheadMs) * 1000;

/** Asks; the answer may be a stream. */
export async function request(path, options = {}) {
  const headers = new Headers(options.headers);
  const secret = token.get();
  if (secret) headers.set("authorization", `Bearer ${secret}`);
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  noteClock(answer);
  if (!answer.ok) throw new Refused(answer.status, await detailOf(answer));
  return answer;
}

/** The JSON of a page; null where the server says that there is nothing (204, 404 of `missing`). */
export async function get(path, { missing = false } = {}) {
  try {
    const answer = await request(path, { signal: AbortSignal.timeout(ANSWER_MS) });
    return answer.status === 204 ? null : await answer.json();
  } catch (error) {
    if (missing && error instanceof Refused && error.status === 404) return null;
    throw error;
  }
}

/** The items of a list, and whether there are more of them. */
export async function list(path) {
  const page = await get(path);
  return { items: Array.isArray(page?.items) ? page.items : [], more: Boolean(page?.next) };
}

/** Asks for a change. */
export async function change(method, path) {
  await request(path, { method, signal: AbortSignal.timeout(ANSWER_MS) });
}

async function detailOf(answer) {
  try {
    const problem = await answer.json();
    if (typeof problem.detail === "string") return problem.detail;
  } catch {
    // Not JSON: the status has to do.
  }
  return `${answer.status} ${answer.statusText}`;
}

/** Whole seconds are enough for ages; less than one apart counts as none, so that figures do not jump. */
function noteClock(answer) {
  const told = Date.parse(answer.headers.get("date") ?? "");
  if (Number.isNaN(told)) return;
  const ahead = told + 500 - Date.now();
  aheadMs = Math.abs(ahead) < 1500 ? 0 : ahead;
}
