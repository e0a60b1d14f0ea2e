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
