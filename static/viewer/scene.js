// Draws the panes: brings their pixels up to date, hands them to the renderer, and lays the furniture over them.

import { Canvas2d } from "./canvas2d.js";
import { brushRing, crosshair, letters, notice, scaleBar, title } from "./furniture.js";
import { lacking } from "./lacking.js";
import { Sparing } from "./sparing.js";
import { paletteOf } from "./palette.js";
import { cut, patch } from "./planes.js";
import { WebGl } from "./webgl.js";

export class Scene {
  /** wish: "webgl", "2d" or "" for whichever is faster here. */
  constructor(viewer, wish) {
    this.viewer = viewer;
    this.over = canvasIn(viewer, "viewer-over");
    this.context = new Sparing(this.over.getContext("2d"));
    this.#choose(wish);
    this.asked = null;
  }

  /** A GPU that is only imitated by the processor is slower than a 2-D canvas: the browser is asked for a real one. */
  #choose(wish) {
    this.canvas?.remove();
    this.canvas = canvasIn(this.viewer, "viewer-picture");
    if (wish !== "2d") {
      try {
        this.renderer = new WebGl(this.canvas, { any: wish === "webgl", lost: () => this.#lost() });
        return;
      } catch {
        // A canvas that was asked for one kind of context gives no other.
        this.canvas.remove();
        this.canvas = canvasIn(this.viewer, "viewer-picture");
      }
    }
    this.renderer = new Canvas2d(this.canvas);
  }

  /** The GPU was taken away (driver update, sleep, too many tabs): the picture goes on without it. */
  #lost() {
    this.#choose("2d");
    this.redraw();
  }

  /** what: "over" if only what lies over the picture has changed. */
  redraw(what) {
    if (what !== "over") this.whole = true;
    this.asked ??= requestAnimationFrame(() => {
      this.asked = null;
      this.draw();
    });
  }

  forget(panes) {
    for (const pane of panes) this.renderer.forget(pane);
  }

  draw() {
    const { viewer } = this, width = viewer.clientWidth, height = viewer.clientHeight;
    if (!width || !height) return;
    const ratio = window.devicePixelRatio || 1, wide = Math.round(width * ratio), high = Math.round(height * ratio);
    const { over, context } = this;
    if (over.width !== wide || over.height !== high) {
      Object.assign(over, { width: wide, height: high });
      this.context.forget();
      this.whole = true;
    }
    const whole = this.whole;
    this.whole = false;
    context.begin();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (whole) this.renderer.begin(wide, high);
    if (!viewer.plane) notice(context, { x: 0, y: 0, width, height }, [viewer.problem || "Opening the scan"]);
    else {
      viewer.arrange(width, height);
      for (const pane of viewer.panes) this.#pane(pane, ratio, whole);
      if (whole) this.renderer.end();
      this.#pointer();
      viewer.drawn(viewer.panes.every((pane) => this.#begun(pane)), this.#lacks());
    }
    context.end();
  }

  /** Whether a pane shows the slice it is at, exact, or something of a plane across the slices. */
  #begun({ plane, slice }) {
    const { stack } = this.viewer;
    return plane.axis === "k" ? Boolean(stack.get(slice)) : stack.loaded > 0;
  }

  /** What the pane that lacks most does, in words. */
  #lacks() {
    const { panes, stack } = this.viewer, { plane, slice, missing } = panes.reduce((a, b) => (b.missing.size > a.missing.size ? b : a));
    const reach = this.viewer.reach(plane), slab = Math.min(plane.depth - 1, slice + reach) - Math.max(0, slice - reach) + 1;
    return lacking(missing, plane.axis === "k" ? slab : stack.K, stack);
  }

  #pane(pane, ratio, whole) {
    const { viewer, context } = this, { plane, rect } = pane, slice = viewer.sliceOf(pane);
    if (pane.slice !== slice) {
      pane.slice = slice;
      pane.stale = { ct: true, bits: true };
    }
    const filled = this.#fill(pane, slice);
    pane.compose(viewer.layersOf(pane), slice);
    const frame = pane.frame, several = viewer.panes.length > 1;
    if (!filled) {
      notice(context, rect, this.#whyNothing(slice));
    } else if (whole) this.renderer.draw(pane, scaled(rect, ratio), deviceFrame(frame, ratio), this.#look(pane, ratio));
    scaleBar(context, frame, rect);
    if (several) {
      letters(context, rect, plane.letters);
      title(context, rect, [pane.title, viewer.layout === "three" ? viewer.numberOf(pane) : ""], pane === viewer.active);
    }
    if (viewer.crosshairShown(pane)) {
      const { row, col } = plane.place(viewer.cursor);
      crosshair(context, rect, pane.screen(row, col), viewer.keyboard.on && pane === viewer.active);
    }
    viewer.tools.draw(context, pane, slice);
  }

  /** Lines that say why slice k is not there. */
  #whyNothing(k) {
    const { failed, line } = this.viewer.stack;
    if (failed.has(k)) return [failed.get(k), "Scroll on: the other slices are not affected."];
    return line.words ? [line.words, "This slice comes by itself as soon as it can."] : ["Loading this slice"];
  }

  /** Bring a pane's HU up to date. False if there is nothing to show. */
  #fill(pane, slice) {
    const { stack } = this.viewer, { plane } = pane, axial = plane.view === "axial";
    const reach = this.viewer.reach(plane);
    if (axial && !stack.get(slice) && !stack.coarse.has(slice)) {
      pane.missing = new Set([slice]);
      return false;
    }
    if (pane.stale.ct) {
      pane.missing = cut(pane.ct, plane, slice, reach, axial ? (k) => (k === slice ? stack.best(k) : stack.get(k)) : (k) => stack.get(k));
      if (axial && !stack.get(slice)) pane.missing.add(slice);
      if (!axial && stack.coarse.size) patch(pane.ct, plane, slice, (k) => stack.coarse.get(k), stack.I);
      pane.stale.ct = false;
      pane.ctVersion++;
    }
    return true;
  }

  #look(pane, ratio) {
    const { viewer } = this, { level, width } = viewer.windowing;
    return {
      level, width,
      palette: paletteOf({
        show: viewer.show, answered: Boolean(viewer.truth), compare: viewer.compare, role: pane.role,
      }),
      fill: viewer.show.fill ? viewer.opacity : 0,
      line: Math.max(1, Math.round(1.6 * ratio)),
      period: Math.round(7 * ratio),
    };
  }

  #pointer() {
    const { viewer, context } = this, pane = viewer.pointed;
    const brush = viewer.editable && viewer.tools.current.ring;
    const cursor = brush ? "none" : viewer.tools.current.cursor ?? "default";
    if (this.over.style.cursor !== cursor) this.over.style.cursor = cursor;
    if (!brush) return;
    const at = viewer.keyboard.on ? viewer.keyboardPlace() : viewer.pointer;
    if (!at || !pane) return;
    const erasing = viewer.hoverErases || viewer.tools.current.erases;
    brushRing(context, at.x, at.y, (viewer.brushMm / 2) * pane.frame.scale, { erasing, ball: viewer.tools.current.ball });
  }
}

function canvasIn(viewer, name) {
  const canvas = document.createElement("canvas");
  canvas.className = name;
  canvas.setAttribute("aria-hidden", "true");
  viewer.prepend(canvas);
  return canvas;
}

/** A rectangle of CSS pixels in whole device pixels. */
function scaled(rect, ratio) {
  const x = Math.round(rect.x * ratio), y = Math.round(rect.y * ratio);
  return { x, y, width: Math.round((rect.x + rect.width) * ratio) - x, height: Math.round((rect.y + rect.height) * ratio) - y };
}

function deviceFrame(frame, ratio) {
  return {
    left: frame.left * ratio, top: frame.top * ratio,
    pxPerCol: frame.pxPerCol * ratio, pxPerRow: frame.pxPerRow * ratio,
  };
}
