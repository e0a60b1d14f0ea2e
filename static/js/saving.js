// Bringing an answer to the server: kept until the server has said what became of it.

import { pause, waits, within } from "./backoff.js";
import { forget, keep } from "./kept.js";

const PATIENCE_MS = 15_000;
const SETTLED = [409, 422]; // an earlier answer counts; this one was refused with a sentence: both come with a page
const HOPELESS = { 400: "refused", 403: "refused", 404: "refused", 413: "tooLong" }; // the same again changes nothing
const SLOWEST_PER_MS = 10; // letters of a long comment that a poor line carries

// Resolves to {status, page}: what the server answered with. `onWait(seconds)` hears of every failed try.
// Fails when every try did, or none can help, with the name of what to say; the answer is then still kept. `hurry()` gives the signal that cuts a
// wait short.
export async function save(address, fields, { token, session, onWait, hurry }) {
  keep(address, fields);
  for (const seconds of waits()) {
    const answer = await tryOnce(address, { ...fields, csrfmiddlewaretoken: token }, session);
    if (HOPELESS[answer?.status]) throw new Error(HOPELESS[answer.status]);
    if (answer) {
      forget(address);
      return answer;
    }
    onWait(seconds);
    await pause(seconds, hurry());
  }
  throw new Error("givenUp");
}

async function tryOnce(address, fields, session) {
  try {
    const patience = PATIENCE_MS + (fields.comment ?? "").length / SLOWEST_PER_MS;
    const response = await post(address, fields, { signal: within(patience) });
    const { status } = response;
    if (HOPELESS[status]) return { status };
    if (!response.ok && !SETTLED.includes(status)) return null;
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    // A network that asks for a login answers in the place of the site: then nothing was stored.
    return page.querySelector(`#step[data-session="${session}"]`) ? { status, page } : null;
  } catch {
    return null;
  }
}

export function post(address, fields, options = {}) {
  return fetch(address, { method: "POST", body: new URLSearchParams(fields), credentials: "same-origin", ...options });
}
