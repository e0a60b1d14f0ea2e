// The sounds that this page holds: each is fetched once, whole, and played from memory.

import { pause, waits } from "./backoff.js";

const PATIENCE_MS = 60_000;
const held = new Map(); // address -> promise of a blob's URL

// The URL of the clip in memory. `onWait(seconds)` hears of every failed try; the promise fails when all have.
export function clip(address, onWait = () => {}) {
  if (!held.has(address)) {
    const coming = arrive(address, onWait);
    held.set(address, coming);
    coming.catch(() => held.delete(address));
  }
  return held.get(address);
}

// Keep these and let the memory of all others go.
export function keepOnly(addresses) {
  for (const [address, url] of held) {
    if (addresses.includes(address)) continue;
    held.delete(address);
    url.then(URL.revokeObjectURL, () => {});
  }
}

async function arrive(address, onWait) {
  for (const seconds of waits()) {
    const sound = await tryOnce(address);
    if (sound) return URL.createObjectURL(sound);
    onWait(seconds);
    await pause(seconds);
  }
  throw new Error(`the clip at ${address} did not arrive`);
}

async function tryOnce(address) {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(PATIENCE_MS) });
    // A network that asks for a login answers in the place of the site: with a page, not with a sound.
    const isSound = response.ok && response.headers.get("Content-Type")?.startsWith("audio/");
    return isSound ? await response.blob() : null;
  } catch {
    return null;
  }
}
