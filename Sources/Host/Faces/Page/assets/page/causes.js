// Decides what the ended calls and the sessions say is wrong, and what to do. No node is touched.

import { isWrong } from "./requests.js";

/** Older failures are past. */
const WINDOW_MS = 600000;
/** So many calls of a provider, and half of all its calls, must have gone wrong before it is a problem. */
const WRONG_LEAST = 3;
/** A client that reads slowly for a moment is none. */
const SLOW_LEAST_MS = 2000;

/** A refusal is no cause: its limit, its breaker or its quarantine has an alert of its own. */
const isFailure = (one) => isWrong(one) && one.outcome !== "refused" && !one.message?.endsWith("its plugin is in quarantine");
const endOf = (one) => one.started_at + one.duration_ms;

/** What the failures of a provider have in common with their remedy; the first that fits counts. */
const REMEDIES = [
  [({ outcome }) => outcome === "truncated",
    "the upstream, or a proxy before it, ends answers early: see its status page and its longest answer; clients have the part that came"],
  [({ message }) => /\(HTTP (401|403)\)/.test(message),
    "its key is refused: correct api_key, or the variable or file that it names, and reload the configuration"],
  [({ message }) => /\(HTTP 402\)|quota|balance|billing|daily|limit/i.test(message),
    "its limit, plan or bill is used up: look at its account, or let another model answer (fallback)"],
  [({ code, message }) => code === "TIMEOUT" && /connection/.test(message),
    "it is not reached: see base_url, the network and its status page"],
  [({ code }) => code === "TIMEOUT",
    "it is slow or hangs: see its status page; if it needs more time, raise timeouts.first_token_seconds or progress_seconds"],
  [() => true, "look at its status page; its own words stand behind its name"],
];

/** What one failed call says, as a sentence. */
export const saidBy = ({ outcome, code, message }) =>
  `${outcome === "truncated" ? "truncated, " : ""}${code ?? outcome}: ${message ?? "no reason was given"}`;

export const remedyOf = (failure) => REMEDIES.find(([fits]) => fits({ ...failure, message: failure.message ?? "" }))[1];

/** The failures that the page has seen, so that a flood of refusals does not wash away what led to them. */
export class Failures {
  constructor() {
    this.clear();
  }

  clear() {
    /** By provider, the last. */
    this.last = new Map();
    /** Sessions that read slowly, by id: since when. */
    this.slow = new Map();
    this.ended = [];
    this.sessions = [];
  }

  setEnded(list) {
    this.ended = list;
    for (const one of list) {
      const known = this.last.get(one.provider);
      if (isFailure(one) && !(known && endOf(known) >= endOf(one))) this.last.set(one.provider, one);
    }
  }

  setSessions(sessions, now) {
    this.sessions = sessions;
    this.slow = new Map(sessions.filter((one) => one.is_congested).map(({ id }) => [id, this.slow.get(id) ?? now]));
  }

  /** The last failure of a provider; null: none is known. */
  of(provider) {
    return this.last.get(provider) ?? null;
  }

  problems(now) {
    return [...this.callProblems(now), ...this.clientProblems(now)];
  }

  callProblems(now) {
    const found = [];
    for (const provider of new Set(this.ended.map((one) => one.provider))) {
      const own = this.ended.filter((one) => one.provider === provider && one.outcome !== "refused" && now - endOf(one) < WINDOW_MS);
      const wrong = own.filter(isFailure);
      if (wrong.length < WRONG_LEAST || wrong.length * 2 < own.length) continue;
      found.push({
        key: `calls ${provider}`, severity: "warning", title: `${provider}: calls go wrong`, provider, subject: provider,
        message: `${wrong.length} of its last ${own.length} calls went wrong; the last: ${saidBy(wrong[0])}`,
        since: Math.min(...wrong.map(endOf)), remedy: remedyOf(wrong[0]), isCause: true,
      });
    }
    return found;
  }

  clientProblems(now) {
    return this.sessions.filter(({ id }) => now - (this.slow.get(id) ?? now) >= SLOW_LEAST_MS).map((session) => ({
      key: `client ${session.id}`, severity: "warning", title: "A client reads slowly", since: this.slow.get(session.id),
      message: `${session.principal ?? "the client"} at ${session.peer}, session ${session.id}, takes less than it is sent: `
        + `its calls wait for it (${session.in_flight} in flight), not for their provider; others are not held up`,
      remedy: "look at that client's program and network; it is dropped when it takes less than 16 KiB in timeouts.client_stall_seconds",
    }));
  }
}
