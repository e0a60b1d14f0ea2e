// Bringing an answer to the server: kept until the server has said what became of it.

import { pause, waits, within } from "./backoff.js";
import { forget, keep } from "./kept.js";

const PATIENCE_MS = 15_000;
const SETTLED = [409, 422]; // an earlier answer counts; this one was refused with a sentence: both come with a page
const HOPELESS = [400, 403, 404, 413]; // sending the same again changes nothing

// Resolves to {status, page}: what the server answered with. `onWait(seconds)` hears of every failed try.
// Fails when every try did, or none can help; the answer is then still kept. `hurry()` gives the signal that cuts a
// wait short.
export async function save(address, fields, { token, session, onWait, hurry }) {
  keep(address, fields);
  for (const seconds of waits()) {
    const answer = await tryOnce(address, { ...fields, csrfmiddlewaretoken: token }, session);
    if (HOPELESS.includes(answer?.status)) throw new Error("refused");
    if (answer) {
      forget(address);
      return answer;
    }
    onWait(seconds);
    await pause(seconds, hurry());
  }
  throw new Error("not saved");
}

async function tryOnce(address, fields, session) {
  try {
    const response = await post(address, fields, { signal: within(PATIENCE_MS) });
    const { status } = response;
    if (HOPELESS.includes(status)) return { status };
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
