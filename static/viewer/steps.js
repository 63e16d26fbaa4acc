// Long work as a generator that yields now and then: done in one go, or in slices of time between which the page answers.

const SLICE_MS = 12; // with what a step may take beyond it, less than a frame or two

/** Do it in one go; returns what it returns. */
export function atOnce(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/** Long work of one kind, one at a time. */
export class Work {
  #now = null;
  #called = null; // ends a wait

  get on() {
    return this.#now !== null;
  }

  /**
   * Do it in slices of time, the first of them at once; a promise that is yielded is waited for. Resolves with what it
   * returns, or with undefined if it was called off.
   */
  async run(steps) {
    if (this.on) throw new Error("The work before is not done.");
    this.#now = steps;
    const off = new Promise((called) => (this.#called = called));
    try {
      for (;;) {
        const end = performance.now() + SLICE_MS;
        let step;
        do step = steps.next();
        while (!step.done && !(step.value instanceof Promise) && performance.now() < end);
        if (step.done) return step.value;
        await Promise.race([step.value ?? new Promise((done) => setTimeout(done)), off]);
        if (this.#now !== steps) return undefined;
      }
    } finally {
      if (this.#now === steps) this.#now = null;
    }
  }

  /** Call it off. False if there is none. */
  stop() {
    const { on } = this;
    this.#now = null;
    this.#called?.();
    return on;
  }
}
