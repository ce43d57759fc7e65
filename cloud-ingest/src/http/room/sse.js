// The text of server-sent events, as the HTML standard has it. By hand, because EventSource cannot send a token.

/** An event that has more characters is thrown away. */
const EVENT_MAX = 1_000_000;

/**
 * Reads events from a stream of bytes until it ends. Calls `heard()` at whatever comes, comments included, and
 * `event(name, data)` with the text of each event.
 */
export async function readEvents(body, heard, event) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let fields = { name: "message", data: [] };
  let size = 0;
  const line = (text) => {
    if (text === "") {
      if (fields.data.length > 0 && size <= EVENT_MAX) event(fields.name, fields.data.join("\n"));
      fields = { name: "message", data: [] };
      size = 0;
      return;
    }
    const [field, value] = split(text);
    size += value.length;
    if (field === "event") fields.name = value;
    else if (field === "data" && size <= EVENT_MAX) fields.data.push(value);
  };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    if (rest.length > EVENT_MAX) throw new Error("a line of the events has no end");
    lines.forEach(line);
  }
}

/** Name and value of a line; a comment has an empty name. */
function split(text) {
  const colon = text.indexOf(":");
  if (colon < 0) return [text, ""];
  const value = text.slice(colon + 1);
  return [text.slice(0, colon), value.startsWith(" ") ? value.slice(1) : value];
}
