// Waiting between tries: longer each time, never for ever, and cut short when the connection comes back.

const SECONDS = [1, 2, 4, 8, 15, 30, 30, 30, 30, 30, 60, 60, 60, 60, 60];

// The wait before each further try, in seconds; when they are used up a person has to ask again.
export function waits() {
  return SECONDS.values();
}

// A signal that gives up after so long. (AbortSignal.timeout would do, but Safari has it from 16 on.)
export function within(milliseconds) {
  const over = new AbortController();
  setTimeout(() => over.abort(), milliseconds);
  return over.signal;
}

export function pause(seconds, signal) {
  return new Promise((resolve) => {
    const over = () => {
      clearTimeout(timer);
      window.removeEventListener("online", over);
      signal?.removeEventListener("abort", over);
      resolve();
    };
    const timer = setTimeout(over, seconds * 1000);
    window.addEventListener("online", over);
    signal?.addEventListener("abort", over);
  });
}
