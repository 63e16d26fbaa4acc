// Painting without a pointer: the crosshair is moved by the arrows, and the space bar holds the tool down.

export class Keyboard {
  constructor(viewer) {
    this.viewer = viewer;
    this.on = false;
    this.held = false; // a stroke is in hand, and it is the space bar's
  }

  toggle(on = !this.on) {
    if (this.held) this.release();
    this.on = on;
    this.viewer.redraw("over");
    this.viewer.say(on ? "Keyboard crosshair: arrows move, Shift ten at a time, hold Space to use the tool, Page keys change slice, J leaves" : "Crosshair off");
    return on;
  }

  /** Rows down and columns to the right on the screen. */
  move(rows, cols) {
    const { viewer } = this, pane = viewer.active, { plane } = pane, slice = viewer.sliceOf(pane);
    const { row, col } = plane.place(viewer.cursor);
    const clamp = (value, n) => Math.min(n - 1, Math.max(0, value));
    viewer.moveTo(plane.voxel(clamp(row + rows, plane.rows), clamp(col + cols, plane.cols), slice));
    if (this.held) viewer.strokeMoves(this.place());
    this.#tell();
  }

  place() {
    const { viewer } = this, { row, col } = viewer.active.plane.place(viewer.cursor);
    return viewer.active.screen(row, col);
  }

  press(erase) {
    const { viewer } = this;
    if (!this.held) this.held = viewer.strokeBegins(viewer.active, this.place(), erase);
  }

  release() {
    if (this.held) this.viewer.strokeEnds();
  }

  /** For those who hear the page: where the crosshair is and what lies there. */
  #tell() {
    const { viewer } = this, { k, j, i } = viewer.cursor, hu = viewer.huAt(viewer.cursor);
    const painted = viewer.mask.has(k, j * viewer.size[2] + i) ? ", painted" : "";
    viewer.whisper(`Row ${j + 1}, column ${i + 1}, slice ${viewer.size[0] - k}${hu === null ? "" : `, ${hu} HU`}${painted}`);
  }
}
