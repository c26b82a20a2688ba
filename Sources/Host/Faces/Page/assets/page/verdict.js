// Decides what the top of the page says: one sentence on the host, and the problems, the worst first. No node is touched.

import { remedyOf, saidBy } from "./causes.js";

const RANK = { critical: 0, unhealthy: 0, warning: 1, degraded: 1 };

/**
 * The problems of a report, of the providers and of the failures that were seen:
 * `{ key, severity, title, message, since, remedy, provider }`.
 */
export function problems(health, providers, failures, now) {
  const found = [];
  for (const alert of health?.alerts ?? []) {
    found.push(withCause({
      key: `alert ${alert.name} ${alert.subject}`, severity: alert.severity, title: titleOf(alert.name, alert.subject),
      message: alert.message, since: alert.since, remedy: alert.remedy, subject: alert.subject,
    }, alert.name, failures));
  }
  for (const provider of providers ?? []) {
    const problem = providerProblem(provider, health?.components?.providers?.failed?.[provider.id]);
    const isSaid = found.some(({ subject, isCause }) => subject === provider.id && isCause);
    if (problem && !(isSaid && problem.mayBeSaidElsewhere)) found.push(withCause(problem, problem.name, failures));
  }
  for (const problem of failures.problems(now)) {
    const isSaid = problem.isCause && found.some(({ subject, isCause }) => subject === problem.subject && isCause);
    if (!isSaid) found.push(problem);
  }
  for (const [name, component] of Object.entries(health?.components ?? {})) {
    if (!component.status || component.status === "healthy" || !component.message) continue;
    // A component that is degraded by an alert says what the worst of them says, and how many more there are.
    if (found.some(({ said, message }) => (said ?? message) && component.message.startsWith(said ?? message))) continue;
    // Providers speak for themselves above.
    if (name === "providers" && found.some(({ subject, isCause }) => isCause && component.message.includes(subject))) continue;
    found.push({
      key: `component ${name}`, severity: component.status === "unhealthy" ? "critical" : "warning",
      title: wordOf(name), message: component.message, since: component.since, remedy: component.remedy,
    });
  }
  return found.sort((a, b) => (RANK[a.severity] ?? 2) - (RANK[b.severity] ?? 2) || (b.since ?? 0) - (a.since ?? 0));
}

/** Alerts of a provider that its last failure explains. */
const EXPLAINED = new Set(["breaker", "worker_crash", "quarantine"]);

/** A breaker is a symptom: what opened it is the cause, and says what to do. */
function withCause(problem, name, failures) {
  if (!EXPLAINED.has(name)) return problem;
  const failure = failures.of(problem.subject);
  if (!failure) return { ...problem, isCause: true };
  const message = `${problem.message}. The last failure: ${saidBy(failure)}`;
  return { ...problem, said: problem.message, message, remedy: name === "breaker" ? remedyOf(failure) : problem.remedy, isCause: true };
}

/** `refusal`: what health says of one that could not come up, `{ message, remedy }`. */
function providerProblem(provider, refusal) {
  const base = { subject: provider.id, provider: provider.id, since: provider.since };
  const refused = provider.update_refused;
  if (provider.state === "failed" || provider.state === "quarantined") {
    return {
      ...base, key: `provider ${provider.id}`, name: provider.state === "quarantined" ? "quarantine" : "", isCause: true, severity: "critical", title: `${provider.id}: ${provider.state}`,
      message: refusal?.message ?? provider.message, remedy: refusal?.remedy ?? "", mayBeSaidElsewhere: true,
    };
  }
  if (provider.breaker === "open") {
    return {
      ...base, key: `breaker ${provider.id}`, name: "breaker", severity: "warning", title: `${provider.id}: breaker open`,
      message: provider.message || "calls are refused until the next try succeeds", remedy: "see its last error", mayBeSaidElsewhere: true,
    };
  }
  if (refused) {
    return {
      ...base, key: `update ${provider.id}`, severity: "warning", title: `${provider.id}: update refused`,
      message: `${refused.path}: ${refused.reason}`, remedy: refused.remedy, mayBeSaidElsewhere: false,
    };
  }
  return null;
}

/** A name such as `breaker_open`, as words. */
export const wordOf = (name) => {
  const words = String(name ?? "").replace(/[_-]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
};

/** What an alert of a name says in a title; another name is taken for words. */
const ALERT_WORDS = {
  host_permits: "Permits of the host run out", provider_permits: "Permits run out", buffered_bytes: "Memory held for clients", breaker: "Breaker",
  quarantine: "In quarantine", worker_crash: "Worker crashed", memory_growth: "Memory grows", worker_memory_growth: "Worker's memory grows",
  loop_standstill: "Stands still", storage_queue: "Queue of the storage", alert_webhook: "Alert webhook",
};
/** Subjects that say no more than the name does. */
const PLAIN_SUBJECTS = new Set(["", "host", "history", "log", "webhook"]);

export function titleOf(name, subject) {
  const word = ALERT_WORDS[name] ?? wordOf(name);
  // Of a path its last part; the message has all of it.
  const short = String(subject ?? "").split("/").findLast(Boolean) ?? subject;
  return PLAIN_SUBJECTS.has(subject ?? "") ? word : `${short}: ${word.charAt(0).toLowerCase()}${word.slice(1)}`;
}

/** `{ status, sentence }` for the feed's state, the report and the problems. */
export function verdict(feedState, health, providers, found) {
  if (!health && !providers) {
    return feedState === "waiting" || feedState === "stale"
      ? { status: "unknown", sentence: "No figures: the host does not answer" }
      : { status: "unknown", sentence: "Waiting for the first figures" };
  }
  const state = health?.state;
  if (state === "draining") return { status: "degraded", sentence: "Draining: no new calls are taken" };
  if (state === "starting") return { status: "unknown", sentence: "Starting: no calls are taken yet" };
  const worst = found[0];
  const more = found.length > 1 ? `, and ${found.length - 1} more` : "";
  const isBad = health?.status === "unhealthy" || health?.ready === false;
  if (isBad) return { status: "unhealthy", sentence: `Unhealthy: ${worst ? worst.title + more : state ?? "not ready"}` };
  if (worst) {
    const isCritical = worst.severity === "critical";
    return { status: isCritical ? "critical" : "degraded", sentence: `${isCritical ? "Trouble" : "Degraded"}: ${worst.title}${more}` };
  }
  if (health?.status === "degraded") return { status: "degraded", sentence: "Degraded" };
  const active = (providers ?? []).filter((provider) => provider.state === "active").length;
  const all = (providers ?? []).filter((provider) => provider.state !== "removed").length;
  if (!active) return { status: "unhealthy", sentence: "No provider is active" };
  return { status: "healthy", sentence: all === 1 ? "All is well: its provider serves" : `All is well: ${active} of ${all} providers serve` };
}
