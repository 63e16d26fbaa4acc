// Scrolling by itself, up and down.

export class Cine {
  constructor(viewer) {
    this.viewer = viewer;
    this.perSecond = 12;
    this.direction = -1;
    this.timer = null;
  }

  get on() {
    return this.timer !== null;
  }

  toggle() {
    if (this.on) clearInterval(this.timer);
    this.timer = this.on ? null : setInterval(() => this.#step(), 1000 / this.perSecond);
    return this.on;
  }

  /** Never runs ahead of what has come: it waits for the slice, and for a stroke that is drawn on this one. */
  #step() {
    if (this.viewer.stroking) return;
    const { viewer } = this, at = viewer.slice + this.direction;
    if (at < 0 || at >= viewer.plane.depth) this.direction *= -1;
    if (viewer.plane.axis === "k" && !viewer.stack.get(viewer.cursor.k + this.direction)) return viewer.stack.look(viewer.cursor.k);
    viewer.step(this.direction);
  }
}
