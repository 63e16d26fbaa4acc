// What is on screen while an answer is painted: slices and for how long, windows, magnification. It never leaves the
// page before the answer does, and is not gathered where the person has switched it off. quiz/learning/looks.py
// describes the form.

const VERSION = 1;
const TICK_MS = 250;
const IDLE_MS = 30000; // without a sign of life for this long nobody is looking
const STEP_MS = 10; // times are rounded to this
const MOST_LOOKS = 64;
const MOST_NUMBERS = 30000;
const PARTS = 4;
const AXIS = { axial: "k", coronal: "j", sagittal: "i" };
const SIGNS_OF_LIFE = ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"];

export class Looks {
  /** first: the page of the attempt's opening. key: where a reload finds what was gathered before it. */
  constructor(viewer, { first, key }) {
    Object.assign(this, { viewer, key, covers: first, ms: 0, firstMark: null, now: [], seen: new Map() });
    this.#restore();
    this.last = this.alive = performance.now();
    this.windowing = viewer.windowing ?? { level: -600, width: 1500 };
    this.#look();
    // A step of the wheel costs a few additions; what measures the screen waits for the tick.
    viewer.addEventListener("viewer:slice", ({ detail }) => {
      this.#count();
      for (const look of this.now) look.slice = detail[AXIS[look.view]];
    });
    viewer.addEventListener("viewer:view", () => this.#tick());
    viewer.addEventListener("viewer:window", ({ detail }) => {
      this.#count();
      this.windowing = detail;
      this.#look();
    });
    viewer.addEventListener("viewer:paint", () => (this.firstMark ??= Math.round(this.ms)));
    for (const sign of SIGNS_OF_LIFE) window.addEventListener(sign, () => (this.alive = performance.now()), { passive: true, capture: true });
    document.addEventListener("visibilitychange", () => {
      this.#count(document.hidden);
      this.alive = performance.now();
    });
    this.timer = setInterval(() => this.#tick(), TICK_MS);
    window.addEventListener("pagehide", () => this.#keep());
  }

  /** The log so far. */
  log() {
    this.#count();
    let numbers = 0;
    const looks = [...this.seen]
      .map(([name, slices]) => ({ ...JSON.parse(name), slices: runsOf(slices), ms: [...slices.values()].reduce((a, b) => a + b, 0) }))
      .sort((a, b) => b.ms - a.ms)
      .slice(0, MOST_LOOKS)
      .filter((look) => (numbers += look.slices.length) <= MOST_NUMBERS)
      .map(({ ms, ...look }) => look);
    // Where not all of it could be said, what is missing proves nothing.
    const covers = this.covers && looks.length === this.seen.size;
    return { version: VERSION, covers, duration_ms: Math.round(this.ms), first_mark_ms: this.firstMark, looks };
  }

  /** The answer is in. */
  stop() {
    clearInterval(this.timer);
    this.stopped = true;
    try {
      sessionStorage.removeItem(this.key);
    } catch {
      // Nothing was kept, then.
    }
  }

  #tick() {
    this.#count();
    this.#look();
  }

  /** Add the time since the last call to what was on screen since then. */
  #count(wasShown = !document.hidden) {
    const now = performance.now();
    const spent = Math.min(now, this.alive + IDLE_MS) - this.last;
    this.last = now;
    if (spent <= 0 || !wasShown || this.stopped || !this.now.length) return;
    this.ms += spent;
    for (const { name, slice } of this.now) {
      let slices = this.seen.get(name);
      if (!slices) this.seen.set(name, (slices = new Map()));
      slices.set(slice, (slices.get(slice) ?? 0) + spent);
    }
  }

  /** Note what is on screen now, in every pane. */
  #look() {
    const { viewer } = this;
    this.now = [];
    if (!viewer.plane || !viewer.size || !viewer.cursor) return;
    viewer.arrange(viewer.clientWidth, viewer.clientHeight);
    this.now = viewer.panes.map((pane) => this.#lookOf(pane));
  }

  #lookOf(pane) {
    const { viewer } = this, { plane, rect } = pane, { view } = plane, [K, J, I] = viewer.size, { k, j, i } = viewer.cursor;
    const place = { axial: (a, b) => [k, a * J, b * I], coronal: (a, b) => [a * K, j, b * I], sagittal: (a, b) => [a * K, b * J, i] }[view];
    const on = (a, b) => {
      const [k, j, i] = place(a, b).map((n) => Math.floor(n)), { row, col } = plane.place({ k, j, i });
      return pane.screen(row, col);
    };
    let field = 0;
    for (let a = 0; a < PARTS; a++) {
      for (let b = 0; b < PARTS; b++) {
        const { x, y } = on((a + 0.5) / PARTS, (b + 0.5) / PARTS);
        const inside = x >= rect.x && x <= rect.x + rect.width && y >= rect.y && y <= rect.y + rect.height;
        if (inside) field |= 1 << (PARTS * a + b);
      }
    }
    const near = on(0.5, 0.25), far = on(0.5, 0.75);
    const across = view === "sagittal" ? Math.floor(0.75 * J) - Math.floor(0.25 * J) : Math.floor(0.75 * I) - Math.floor(0.25 * I);
    const exact = Math.hypot(far.x - near.x, far.y - near.y) / Math.max(1, across);
    // In steps of a fifth, so that a slow zoom is a handful of looks; windows in steps of 50 and 100 for the same reason.
    const scale = Number((1.2 ** Math.round(Math.log(Math.max(exact, 0.01)) / Math.log(1.2))).toFixed(2));
    const level = Math.round(this.windowing.level / 50) * 50, width = Math.max(100, Math.round(this.windowing.width / 100) * 100);
    const panes = viewer.panes.length > 1 ? { panes: viewer.panes.length } : {};
    return { view, name: JSON.stringify({ view, level, width, scale, field, ...panes }), slice: viewer.cursor[AXIS[view]] };
  }

  #keep() {
    if (this.stopped) return;
    this.#count();
    const { covers, ms, firstMark } = this;
    try {
      const seen = [...this.seen].map(([name, slices]) => [name, [...slices]]);
      sessionStorage.setItem(this.key, JSON.stringify({ covers, ms, firstMark, seen }));
    } catch {
      // A reload then begins a new log, which knows that it does not cover everything.
    }
  }

  #restore() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(this.key));
      if (!kept) return;
      sessionStorage.removeItem(this.key);
      const { covers, ms, firstMark, seen } = kept;
      Object.assign(this, { covers, ms, firstMark, seen: new Map(seen.map(([name, slices]) => [name, new Map(slices)])) });
    } catch {
      // See above.
    }
  }
}

/** slice -> ms as [first, count, ms, ...]: neighbours of the same time together. Pure. */
export function runsOf(slices) {
  const runs = [];
  for (const [slice, exact] of [...slices].sort(([a], [b]) => a - b)) {
    const ms = Math.max(STEP_MS, Math.round(exact / STEP_MS) * STEP_MS), at = runs.length - 3;
    if (at >= 0 && runs[at] + runs[at + 1] === slice && runs[at + 2] === ms) runs[at + 1]++;
    else runs.push(slice, 1, ms);
  }
  return runs;
}
