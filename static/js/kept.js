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
