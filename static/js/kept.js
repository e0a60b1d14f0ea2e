// Answers that are not known to be stored yet. They outlive the page; where the browser forbids that, they live in it.

const memory = new Map();
const PREFIX = "earmark:";

function shelf() {
  try {
    return window.localStorage;
  } catch {
    return null;
  }
}

// An address is a path, the same from one visit to the next.
export function keep(address, fields) {
  memory.set(address, fields);
  try {
    shelf()?.setItem(PREFIX + address, JSON.stringify(fields));
  } catch {
    // Full or forbidden: the page itself still holds it.
  }
}

export function kept(address) {
  if (memory.has(address)) return memory.get(address);
  try {
    return JSON.parse(shelf()?.getItem(PREFIX + address) ?? "null");
  } catch {
    return null;
  }
}

export function forget(address) {
  memory.delete(address);
  shelf()?.removeItem(PREFIX + address);
}

// What is kept for other steps of this session is history: the server went on, so it has them.
export function forgetAllBut(session, address) {
  memory.clear();
  const store = shelf();
  for (const key of Object.keys(store ?? {})) {
    if (key.startsWith(`${PREFIX}/t/${session}/`) && key !== PREFIX + address) store.removeItem(key);
  }
}

// What was heard of the clip on the page, for the same tab after a reload: the page that comes may be read from the
// database before what this one says last is written there.
const HEARD = "earmark-heard";

export function keepHeard(address, { heard, plays, events }) {
  try {
    window.sessionStorage.setItem(HEARD, JSON.stringify({ address, heard, plays, events }));
  } catch {
    // Then the server's word is all there is.
  }
}

export function keptHeard(address) {
  try {
    const last = JSON.parse(window.sessionStorage.getItem(HEARD));
    if (last?.address === address) return last;
  } catch {
    // As above.
  }
  return { heard: 0, plays: 0, events: [] };
}
