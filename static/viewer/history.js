// What was done, to be taken back and done again, without limit. A stroke: [[k, Int32Array of start, length, ...], ...]. Pure.

export class History {
  constructor() {
    this.done = [];
    this.undone = [];
  }

  push(stroke) {
    this.done.push(stroke);
    this.undone = [];
  }

  /** The stroke to take back, or null. */
  back() {
    const stroke = this.done.pop() ?? null;
    if (stroke) this.undone.push(stroke);
    return stroke;
  }

  /** The stroke to do again, or null. */
  forth() {
    const stroke = this.undone.pop() ?? null;
    if (stroke) this.done.push(stroke);
    return stroke;
  }
}
