// Bringing an answer to the server: kept until the server has said what became of it.

import { pause, waits } from "./backoff.js";
import { forget, keep } from "./kept.js";

const PATIENCE_MS = 15_000;
const SETTLED = [409, 422]; // an earlier answer counts; this one was refused with a sentence: both come with a page

// Resolves to {ok, html}: the page that the server answered with. `onWait(seconds)` hears of every failed try.
// Fails when every try did; the answer is then still kept. `signal` cuts a wait short.
export async function save(address, fields, { token, onWait, hurry }) {
  keep(address, fields);
  for (const seconds of waits()) {
    const answer = await tryOnce(address, { ...fields, csrfmiddlewaretoken: token });
    if (answer) {
      forget(address);
      return answer;
    }
    onWait(seconds);
    await pause(seconds, hurry());
  }
  throw new Error("not saved");
}

async function tryOnce(address, fields) {
  try {
    const response = await post(address, fields, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok || SETTLED.includes(response.status)) {
      return { ok: response.ok, status: response.status, html: await response.text() };
    }
    // Anything else that speaks of this answer alone will not change by itself.
    return [400, 403, 404, 413].includes(response.status) ? { ok: false, status: response.status, html: "" } : null;
  } catch {
    return null;
  }
}

export function post(address, fields, options = {}) {
  return fetch(address, { method: "POST", body: new URLSearchParams(fields), credentials: "same-origin", ...options });
}
