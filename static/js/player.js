// One audio element for the whole session: where a gesture has to unlock sound (Safari), it is unlocked once.

export class Player {
  constructor(onChange) {
    this.audio = new Audio();
    this.onChange = onChange;
    this.page = Math.random().toString(36).slice(2, 12); // tells this page's events from those of others
    this.n_events = 0;
    this.forget();
    for (const kind of ["playing", "pause", "ended", "timeupdate", "error", "seeking"]) {
      this.audio.addEventListener(kind, () => this.happened(kind));
    }
  }

  // Nothing is loaded; `heard` seconds and `plays` are known from before a reload.
  forget(heard = 0, plays = 0, events = []) {
    this.audio.pause();
    this.audio.removeAttribute("src");
    this.audio.load();
    this.state = "loading";
    this.heard = heard;
    this.plays = plays;
    this.events = events; // [kind, seconds, mark], not yet told to the server
    this.last = 0;
  }

  load(url) {
    this.audio.src = url;
    this.audio.load();
    // Ready at once: some browsers (Safari on a phone) look into a sound only after a gesture.
    this.turn("ready");
  }

  get share() {
    return this.audio.duration ? this.audio.currentTime / this.audio.duration : 0;
  }

  toggle() {
    if (this.state === "playing") this.audio.pause();
    else if (["ready", "paused", "ended"].includes(this.state)) this.play();
  }

  play() {
    // Refused where the browser sees no gesture: the button is still there to be pressed.
    this.audio.play().catch(() => this.turn(this.state === "playing" ? "paused" : this.state));
  }

  happened(kind) {
    const at = this.audio.currentTime;
    if (this.state === "playing" && kind !== "seeking") this.heard += Math.max(0, at - this.last);
    this.last = at;
    if (kind === "playing") this.note("play", "playing");
    else if (kind === "pause" && this.state === "playing" && !this.audio.ended) this.note("pause", "paused");
    else if (kind === "ended") this.note("ended", "ended");
    else if (kind === "error" && this.audio.hasAttribute("src")) this.note("error", "broken");
    else this.onChange();
  }

  note(kind, state) {
    if (kind === "play" && this.state !== "playing") this.plays += 1;
    this.n_events += 1;
    this.events = [...this.events, [kind, Math.round(this.audio.currentTime * 1000) / 1000, `${this.page}-${this.n_events}`]];
    this.turn(state);
  }

  // The server has these.
  told(events) {
    const marks = new Set(events.map(([, , mark]) => mark));
    this.events = this.events.filter(([, , mark]) => !marks.has(mark));
  }

  turn(state) {
    this.state = state;
    this.onChange();
  }

  report() {
    return { heard_seconds: this.heard.toFixed(2), plays: String(this.plays), events: JSON.stringify(this.events) };
  }
}
