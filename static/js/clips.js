// The sounds that this page holds: each is fetched once, whole, and played from memory.

import { pause, waits, within } from "./backoff.js";

const PATIENCE_MS = 60_000;
const held = new Map(); // address -> Coming

// A sound on its way, or arrived. Who asks for it while it waits between tries hears of that, and cuts the wait short.
class Coming {
  constructor(address) {
    this.onWait = () => {};
    this.wake = new AbortController();
    this.url = this.arrive(address);
  }

  async arrive(address) {
    for (const seconds of waits()) {
      const sound = await tryOnce(address);
      if (sound) return URL.createObjectURL(sound);
      this.onWait(seconds);
      this.wake = new AbortController();
      await pause(seconds, this.wake.signal);
    }
    throw new Error(`the clip at ${address} did not arrive`);
  }
}

// The URL of the clip in memory. `onWait(seconds)` hears of every failed try; the promise fails when all have.
export function clip(address, onWait = null) {
  if (!held.has(address)) {
    const coming = new Coming(address);
    held.set(address, coming);
    coming.url.catch(() => held.get(address) === coming && held.delete(address));
  }
  const coming = held.get(address);
  if (onWait) {
    coming.onWait = onWait;
    coming.wake.abort();
  }
  return coming.url;
}

// Keep these and let the memory of all others go.
export function keepOnly(addresses) {
  for (const [address, { url }] of held) {
    if (addresses.includes(address)) continue;
    held.delete(address);
    url.then(URL.revokeObjectURL, () => {});
  }
}

async function tryOnce(address) {
  try {
    const response = await fetch(address, { signal: within(PATIENCE_MS) });
    // A network that asks for a login answers in the place of the site: with a page, not with a sound.
    const isSound = response.ok && response.headers.get("Content-Type")?.startsWith("audio/");
    return isSound ? await response.blob() : null;
  } catch {
    return null;
  }
}
