// The live feed: opens /events, reads its events, and opens it again when it ends, stalls or is refused.
//
// | state        | means                                     | leaves by                                   |
// |--------------|-------------------------------------------|---------------------------------------------|
// | connecting   | asked, nothing came yet                   | an event: live; the end: waiting            |
// | live         | an event came within STALE_MS             | silence: stale; the end: waiting            |
// | stale        | connected, but silent                     | an event: live; DEAD_MS: waiting            |
// | waiting      | lost; asks again in a while, or when told | the time: connecting                        |
// | denied       | 401: a login is needed                    | `retry`: connecting                         |

export const STALE_MS = 3000;
const DEAD_MS = 10000;
const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 10000;
/** An event longer than this is none of ours. */
const EVENT_LIMIT = 16 << 20;

export class Feed {
  /** `onEvent(name, data)` for each event, `onState(state, detail)` when the state changes. */
  constructor(onEvent, onState) {
    this.onEvent = onEvent;
    this.onState = onState;
    this.state = "connecting";
    this.lastEventAt = null;
    this.wait = FIRST_WAIT_MS;
    this.retryAt = null;
    this.wake = () => {};
    setInterval(() => this.watch(), 250);
    addEventListener("online", () => this.retry());
  }

  async run() {
    for (;;) {
      this.enter("connecting");
      const detail = await this.readOnce();
      if (this.state === "denied") await new Promise((resume) => (this.wake = resume));
      else await this.pause(detail);
    }
  }

  /** Asks again at once, if it is not connected. */
  retry() {
    this.wait = FIRST_WAIT_MS;
    this.wake();
  }

  /** Ends the connection that is open, so that it begins anew with what the host now allows. */
  restart() {
    this.wait = 0;
    this.abort?.abort("restart");
    this.wake();
  }

  enter(state, detail = "") {
    if (state === this.state && detail === this.detail) return;
    this.state = state;
    this.detail = detail;
    this.onState(state, detail);
  }

  async pause(detail) {
    const wait = this.wait * (0.75 + Math.random() / 2);
    this.wait = Math.min(LAST_WAIT_MS, Math.max(FIRST_WAIT_MS, this.wait * 2));
    this.retryAt = Date.now() + wait;
    this.enter("waiting", detail);
    await new Promise((resume) => {
      this.wake = resume;
      setTimeout(resume, wait);
    });
    this.retryAt = null;
  }

  watch() {
    if (this.lastEventAt === null || (this.state !== "live" && this.state !== "stale")) return;
    const silent = Date.now() - this.lastEventAt;
    if (silent > DEAD_MS) this.abort?.abort("silent");
    else if (silent > STALE_MS) this.enter("stale");
  }

  /** One connection, to its end. Returns why it ended. */
  async readOnce() {
    this.abort = new AbortController();
    const opening = setTimeout(() => this.abort.abort("silent"), DEAD_MS);
    try {
      const answer = await fetch("/events", {
        headers: { Accept: "text/event-stream" }, cache: "no-store", signal: this.abort.signal,
      });
      if (answer.status === 401) {
        this.enter("denied");
        return "";
      }
      if (!answer.ok) return await refusal(answer);
      this.lastEventAt = Date.now();
      await this.read(answer.body.getReader(), () => clearTimeout(opening));
      return "the host ended the feed";
    } catch (error) {
      if (error instanceof SyntaxError) return "what came is not the feed";
      return this.abort.signal.aborted ? "the host fell silent" : "the host does not answer";
    } finally {
      clearTimeout(opening);
      this.abort.abort("over");
    }
  }

  async read(reader, began) {
    const decoder = new TextDecoder();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      if (rest.length > EVENT_LIMIT) throw new Error("an event is too long");
      for (const block of blocks) {
        const { name, data } = parseBlock(block);
        if (!data) continue;
        began();
        this.wait = FIRST_WAIT_MS;
        this.lastEventAt = Date.now();
        this.enter("live");
        const event = JSON.parse(data);
        // A fault of the page ends no connection; it stands in the console.
        try {
          this.onEvent(name, event);
        } catch (error) {
          reportError(error);
        }
      }
    }
  }
}

function parseBlock(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
  }
  return { name, data: data.join("\n") };
}

/** What an answer that is an error says. */
export async function refusal(answer) {
  try {
    const { error } = JSON.parse(await answer.text());
    return `${error.message} (HTTP ${answer.status})`;
  } catch {
    return `the host answers HTTP ${answer.status}`;
  }
}
