// What the hand holds. A tool takes a stroke: begin(pane, at, erase), move(at), end(), cancel(); at is in CSS pixels.

import { ballSpans, discSpans } from "./disc.js";
import { lassoLine, rulerLine } from "./furniture.js";
import { grow, slicesWithin } from "./grow.js";
import { polygonSpans } from "./polygon.js";
import { Work } from "./steps.js";

class Brush {
  constructor(viewer, { ball = false, erases = false }) {
    Object.assign(this, { viewer, ball, erases, ring: true, paints: true });
  }

  begin(pane, at, erase) {
    this.pane = pane;
    this.slice = this.viewer.sliceOf(pane);
    this.value = erase || this.erases ? 0 : 1;
    this.from = pane.cell(at);
    this.viewer.painter.begin();
    this.move(at);
  }

  move(at) {
    const { pane, viewer } = this, { plane } = pane, to = pane.cell(at), radius = viewer.brushMm / 2;
    const slices = this.ball ? ballSpans(plane, this.from, to, radius) : [[0, discSpans(plane, this.from, to, radius)]];
    for (const [offset, spans] of slices) {
      const slice = this.slice + offset;
      if (slice >= 0 && slice < plane.depth) viewer.painter.spans(plane, slice, spans, this.value);
    }
    viewer.touch(pane, slices[0][1]);
    this.from = to;
  }

  end() {
    this.viewer.painter.end();
  }

  cancel() {
    this.viewer.painter.cancel();
    this.viewer.touch();
  }
}

class Lasso {
  constructor(viewer) {
    Object.assign(this, { viewer, paints: true, cursor: "crosshair", points: null });
  }

  begin(pane, at, erase) {
    Object.assign(this, { pane, slice: this.viewer.sliceOf(pane), value: erase ? 0 : 1, points: [pane.cell(at)] });
  }

  move(at) {
    this.points?.push(this.pane.cell(at));
    this.viewer.redraw("over");
  }

  end() {
    const { viewer, pane, slice, points } = this;
    this.points = null;
    viewer.painter.begin();
    viewer.painter.spans(pane.plane, slice, polygonSpans(pane.plane, points), this.value);
    viewer.painter.end();
    viewer.touch();
  }

  cancel() {
    this.points = null;
    this.viewer.redraw("over");
  }

  draw(context, pane) {
    if (this.points && pane === this.pane) lassoLine(context, this.points.map((p) => pane.screen(p.row - 0.5, p.col - 0.5)), !this.value);
  }
}

class Grow {
  constructor(viewer) {
    Object.assign(this, { viewer, paints: true, cursor: "cell", radiusMm: 20, work: new Work() });
  }

  begin(pane, at, erase) {
    const cell = pane.inside(at);
    this.seed = cell && { ...pane.plane.voxel(cell.row, cell.col, this.viewer.sliceOf(pane)) };
    this.value = erase ? 0 : 1;
  }

  move() {}

  async end() {
    const { viewer, seed, radiusMm, value, work } = this, { low, high } = viewer.painter.limits;
    if (!seed) return;
    if (work.on) return viewer.say("What grows from the click before is still worked out. Escape stops it.");
    const found = await work.run(this.#grow({ seed, low, high, radiusMm }));
    if (!found) return viewer.editable && viewer.say("Growing was called off, nothing was painted.");
    // Meanwhile another stroke may have been begun, or the answer given.
    viewer.afterStroke(() => viewer.editable && this.#paint(found, value));
  }

  /** The region, or in words why there is none. */
  *#grow({ seed, low, high, radiusMm }) {
    const { viewer } = this, { size, spacing, stack } = viewer, ks = slicesWithin(seed.k, radiusMm, spacing[0], size[0]);
    if (ks.length > stack.mostHeld) {
      return { words: `A reach of ${radiusMm} mm takes ${ks.length} slices, and memory has room for ${stack.mostHeld}: choose a smaller one.` };
    }
    const missing = () => ks.some((k) => !stack.get(k));
    if (missing()) viewer.say("Loading the slices around the click. Escape stops it.");
    yield stack.need(ks);
    if (ks.some((k) => stack.failed.has(k))) return { words: "Some slices around the click cannot be read, so nothing was painted." };
    if (missing()) return { words: `The slices around the click have not come, so nothing was painted. ${stack.line.words}` };
    const held = new Map(ks.map((k) => [k, stack.get(k)])); // the stack may let go of them meanwhile
    const found = yield* grow({ size, spacing, seed, low, high, radiusMm, get: (k) => held.get(k) });
    const limits = `${low} to ${high} HU`;
    if (!found) return { words: `The voxel has ${held.get(seed.k)[seed.j * size[2] + seed.i]} HU, outside the limits of ${limits}.` };
    if (!found.leaked) return found;
    return { words: `It leaks: within ${limits} it goes on beyond ${radiusMm} mm. Nothing was painted; narrow the limits or widen the reach.` };
  }

  #paint(found, value) {
    const { viewer } = this, { spacing, painter } = viewer;
    if (found.words) return viewer.say(found.words);
    painter.begin();
    painter.runs(found.runs, value);
    painter.end();
    viewer.touch();
    const ml = (found.count * spacing[0] * spacing[1] * spacing[2]) / 1000;
    viewer.say(`${value ? "Painted" : "Erased"} ${ml < 10 ? ml.toFixed(2) : ml.toFixed(0)} ml on ${found.runs.size} slices`);
  }

  cancel() {
    this.seed = null;
  }
}

class Ruler {
  constructor(viewer, lines) {
    Object.assign(this, { viewer, lines, cursor: "crosshair" });
  }

  begin(pane, at) {
    const a = pane.cell(at);
    this.line = { view: pane.plane.view, slice: this.viewer.sliceOf(pane), a, b: a, mm: 0 };
    this.pane = pane;
    this.lines.push(this.line);
  }

  move(at) {
    const { plane } = this.pane, { line } = this;
    line.b = this.pane.cell(at);
    line.mm = Math.hypot((line.b.row - line.a.row) * plane.rowMm, (line.b.col - line.a.col) * plane.colMm);
    this.viewer.redraw("over");
  }

  end() {
    const line = this.lines.at(-1);
    if (line.mm < 0.5) return this.cancel();
    this.viewer.say(`${line.mm.toFixed(1)} mm`);
    this.viewer.toggleAttribute("ruled", true);
    this.viewer.redraw("over");
  }

  cancel() {
    this.lines.pop();
    this.viewer.redraw("over");
  }
}

/** Moves the crosshair, and with it the planes of the other views. */
class Crosshair {
  constructor(viewer) {
    Object.assign(this, { viewer, cursor: "crosshair" });
  }

  begin(pane, at) {
    this.pane = pane;
    this.move(at);
  }

  move(at) {
    const cell = this.pane.inside(at);
    if (cell) this.viewer.moveTo(this.pane.plane.voxel(cell.row, cell.col, this.viewer.sliceOf(this.pane)));
  }

  end() {}

  cancel() {}
}

export class Tools {
  constructor(viewer) {
    this.viewer = viewer;
    this.lines = [];
    this.all = {
      brush: new Brush(viewer, {}),
      ball: new Brush(viewer, { ball: true }),
      eraser: new Brush(viewer, { erases: true }),
      lasso: new Lasso(viewer),
      grow: new Grow(viewer),
      ruler: new Ruler(viewer, this.lines),
      crosshair: new Crosshair(viewer),
      window: { cursor: "ns-resize" },
      pan: { cursor: "grab" },
    };
    this.name = "brush";
  }

  get current() {
    return this.all[this.name];
  }

  clearRulers() {
    this.lines.length = 0;
    this.viewer.toggleAttribute("ruled", false);
    this.viewer.redraw();
  }

  /** What tools draw over a pane: rulers of this very plane, and the stroke in hand. */
  draw(context, pane, slice) {
    for (const line of this.lines) {
      if (line.view !== pane.plane.view || line.slice !== slice) continue;
      rulerLine(context, pane.screen(line.a.row - 0.5, line.a.col - 0.5), pane.screen(line.b.row - 0.5, line.b.col - 0.5), line.mm);
    }
    this.current.draw?.(context, pane);
  }
}
