// <ct-viewer>: the island. Shows a volume, takes paint, keeps the draft, shows the truth after submission.
// Speaks to the page by its hidden input, its properties and its events; the page never looks inside.

import { Autosave } from "./autosave.js";
import { brushRing, COLOURS, notice, Picture, scaleBar } from "./draw.js";
import { cellAt, frameOf, planeOf, screenAt, zoomAt } from "./geometry.js";
import { listen } from "./input.js";
import { PaintedMask, strokeCells } from "./paint.js";
import { decode, encodeSlice } from "./runs.js";
import { Stack } from "./stack.js";
import { lookup } from "./window.js";

const BRUSH_MM = [1, 2, 3, 4, 6, 8, 10, 14, 20, 30, 40];

export class CtViewer extends HTMLElement {
  constructor() {
    super();
    this.ready = new Promise((resolve, reject) => Object.assign(this, { markReady: resolve, markFailed: reject }));
    this.ready.catch(() => {});
    this.tool = "brush";
    this.brushMm = 6;
    this.camera = { zoom: 1, panX: 0, panY: 0 };
    this.show = { painted: true, truth: true, fill: true };
    this.spaceHeld = false;
    this.picture = new Picture();
    this.encoded = new Map();
    this.truth = null;
    this.pointer = null;
    this.dirty = { ct: true, overlay: true };
  }

  connectedCallback() {
    if (this.canvas) return;
    this.tabIndex = 0;
    this.setAttribute("role", "application");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "CT scan. Arrow keys change slice, question mark shows all keys.");
    this.input = this.querySelector("input[name=mask]");
    this.canvas = document.createElement("canvas");
    this.canvas.setAttribute("aria-hidden", "true");
    this.append(this.canvas);
    this.edges = {};
    for (const edge of ["top", "bottom", "left", "right"]) {
      const letter = document.createElement("span");
      letter.className = `edge edge-${edge}`;
      letter.dataset.edge = edge;
      this.append(letter);
      this.edges[edge] = letter;
    }
    this.caption = Object.assign(document.createElement("output"), { className: "viewer-caption" });
    this.line = Object.assign(document.createElement("span"), { className: "viewer-progress" });
    this.append(this.caption, this.line);
    new ResizeObserver(() => this.redraw()).observe(this);
    listen(this.canvas, this);
    this.#open().catch((error) => {
      this.problem = error.message;
      this.markFailed(error);
      this.redraw();
    });
  }

  async #open() {
    const response = await fetch(this.getAttribute("volume"), { credentials: "same-origin" });
    if (!response.ok) throw new Error("The scan could not be opened; reload the page to try again.");
    const manifest = await response.json();
    this.size = manifest.size;
    this.spacing = manifest.spacing_mm;
    this.presets = manifest.window_presets;
    this.windowing = { ...this.presets[0] };
    this.table = lookup(this.windowing.level, this.windowing.width);
    const [K, J, I] = this.size;
    // Always the middle of the scan: a start that followed the truth would give it away.
    this.cursor = { k: K >> 1, j: J >> 1, i: I >> 1 };
    this.plane = planeOf("axial", this.size, this.spacing);
    this.mask = new PaintedMask(this.size);
    this.#restore();
    this.stack = new Stack(manifest, (k) => this.#arrived(k));
    this.stack.look(this.cursor.k);
    this.#letters();
    this.#announce();
    this.redraw();
    if (this.getAttribute("state") === "submitted") await this.showFeedback();
  }

  #restore() {
    const script = this.querySelector('script[type="application/json"]');
    let draft = script ? JSON.parse(script.textContent) : null;
    if (this.hasAttribute("draft") && this.editable) {
      const tell = (state, sentence) => {
        this.#out("saved", sentence);
        this.dispatchEvent(new CustomEvent("viewer:saved", { bubbles: true, detail: { state, sentence } }));
      };
      this.autosave = new Autosave(this.getAttribute("draft"), this.getAttribute("csrf") || "", () => this.painted, tell);
      const unsaved = this.autosave.unsaved();
      if (unsaved?.mask) draft = unsaved.mask;
      if (draft) this.#load(draft);
      if (unsaved?.mask) this.autosave.changed();
    } else if (draft) this.#load(draft);
    this.#painted();
  }

  #load(wire) {
    try {
      this.mask.load(decode(wire, this.size));
      this.encoded.clear();
    } catch {
      // A draft of another volume is no draft of this one.
    }
  }

  get editable() {
    return this.getAttribute("state") === "opened";
  }

  // -- where we are ---------------------------------------------------------------------------------------------

  get k() {
    return this.cursor?.k;
  }

  set k(value) {
    this.moveTo({ k: value });
  }

  get view() {
    return this.plane?.view ?? "axial";
  }

  set view(name) {
    this.plane = planeOf(name, this.size, this.spacing);
    this.camera = { zoom: 1, panX: 0, panY: 0 };
    this.#letters();
    this.redraw();
    this.#announce();
  }

  moveTo(place) {
    const [K, J, I] = this.size;
    const clamp = (value, n) => Math.min(n - 1, Math.max(0, Math.round(value)));
    const next = { ...this.cursor, ...place };
    this.cursor = { k: clamp(next.k, K), j: clamp(next.j, J), i: clamp(next.i, I) };
    this.stack.look(this.cursor.k);
    this.redraw();
    this.#announce();
  }

  /** Slices towards the head are positive, in axial view; further back or left in the others. */
  step(by) {
    if (this.plane) this.moveTo({ [this.plane.axis]: this.cursor[this.plane.axis] + by });
  }

  get slice() {
    return this.cursor[this.plane.axis];
  }

  #announce() {
    const shown = this.plane.axis === "k" ? this.size[0] - this.cursor.k : this.slice + 1;
    this.#out("slice", `${shown} / ${this.plane.depth}`);
    this.dispatchEvent(new CustomEvent("viewer:slice", { bubbles: true, detail: { ...this.cursor, view: this.view } }));
  }

  #frame() {
    return frameOf(this.plane, this.clientWidth, this.clientHeight, this.camera);
  }

  voxelAt(clientX, clientY) {
    if (!this.plane) return null;
    const box = this.canvas.getBoundingClientRect();
    const cell = cellAt(this.#frame(), clientX - box.left, clientY - box.top);
    const row = Math.floor(cell.row), col = Math.floor(cell.col);
    if (row < 0 || col < 0 || row >= this.plane.rows || col >= this.plane.cols) return null;
    return this.plane.voxel(row, col, this.slice);
  }

  clientAt(k, j, i) {
    const box = this.canvas.getBoundingClientRect();
    const { row, col } = this.plane.place({ k, j, i });
    const at = screenAt(this.#frame(), row, col);
    return { x: box.left + at.x, y: box.top + at.y };
  }

  // -- paint ----------------------------------------------------------------------------------------------------

  /** The painted mask in wire form. Only slices that changed are encoded again. */
  get painted() {
    const runs = {};
    for (const k of [...this.mask.slices.keys()].sort((a, b) => a - b)) {
      if (!this.encoded.has(k)) this.encoded.set(k, encodeSlice(this.mask.slices.get(k), this.size[2]));
      if (this.encoded.get(k).length) runs[String(k)] = this.encoded.get(k);
    }
    return { size: [...this.size], runs };
  }

  beginStroke(at, erase) {
    if (!this.editable || !this.plane) return false;
    this.erasing = erase || this.tool === "eraser";
    this.mask.begin();
    this.strokeFrom = cellAt(this.#frame(), at.x, at.y);
    this.strokeTo(at);
    return true;
  }

  strokeTo(at) {
    if (!this.mask?.current) return;
    const to = cellAt(this.#frame(), at.x, at.y);
    const cells = strokeCells(this.plane, this.strokeFrom, to, this.brushMm / 2);
    const slice = this.slice, I = this.size[2], value = this.erasing ? 0 : 1;
    for (let n = 0; n < cells.length; n += 2) {
      const { k, j, i } = this.plane.voxel(cells[n], cells[n + 1], slice);
      this.mask.set(k, j * I + i, value);
    }
    this.strokeFrom = to;
    this.redraw("overlay");
  }

  endStroke() {
    if (this.mask?.current) this.#painted(this.mask.end());
  }

  cancelStroke() {
    if (!this.mask?.current) return;
    if (this.mask.end().length) this.mask.undo();
    this.mask.undone = [];
    this.redraw("overlay");
  }

  undo() {
    if (this.editable) this.#painted(this.mask.undo());
  }

  redo() {
    if (this.editable) this.#painted(this.mask.redo());
  }

  clearSlice() {
    if (this.editable) this.#painted(this.mask.clearSlice(this.cursor.k));
  }

  #painted(changed = []) {
    changed.forEach((k) => this.encoded.delete(k));
    if (this.input) this.input.value = JSON.stringify(this.painted);
    const [dk, dj, di] = this.spacing;
    const ml = (this.mask.count * dk * dj * di) / 1000;
    this.#out("volume", this.mask.count ? `${ml < 10 ? ml.toFixed(2) : ml.toFixed(0)} ml` : "nothing painted");
    this.redraw("overlay");
    if (!changed.length) return;
    this.autosave?.changed();
    this.dispatchEvent(new CustomEvent("viewer:paint", { bubbles: true, detail: { voxels: this.mask.count } }));
  }

  /** The slice with most paint, for "where was I". */
  largestPainted() {
    let best = null, most = 0;
    for (const [k, bitmap] of this.mask.slices) {
      let n = 0;
      for (let at = 0; at < bitmap.length; at++) n += bitmap[at];
      if (n > most) [best, most] = [k, n];
    }
    return best;
  }

  setTool(tool) {
    this.tool = tool;
    this.dataset.tool = tool;
    this.redraw("cursor");
  }

  resizeBrush(by) {
    const at = BRUSH_MM.indexOf(this.brushMm);
    this.brushMm = BRUSH_MM[Math.min(BRUSH_MM.length - 1, Math.max(0, at + by))];
    this.#out("size", `${this.brushMm} mm`);
    this.redraw("cursor");
  }

  // -- window, zoom, pan ----------------------------------------------------------------------------------------

  setWindow(level, width, name = "") {
    this.windowing = { level: Math.round(level), width: Math.max(1, Math.round(width)), name };
    this.table = lookup(this.windowing.level, this.windowing.width);
    this.dispatchEvent(new CustomEvent("viewer:window", { bubbles: true, detail: this.windowing }));
    this.redraw();
  }

  preset(n) {
    const preset = this.presets?.[n];
    if (preset) this.setWindow(preset.level, preset.width, preset.name);
  }

  dragWindow(dx, dy) {
    const { level, width } = this.windowing;
    this.setWindow(level - dy * Math.max(1, width / 400), width + dx * Math.max(1, width / 300));
  }

  zoomBy(factor, x = this.clientWidth / 2, y = this.clientHeight / 2) {
    this.camera = zoomAt(this.camera, factor, x, y, this.clientWidth, this.clientHeight);
    this.redraw("camera");
  }

  panBy(dx, dy) {
    this.camera = { ...this.camera, panX: this.camera.panX + dx, panY: this.camera.panY + dy };
    this.redraw("camera");
  }

  fit() {
    this.camera = { zoom: 1, panX: 0, panY: 0 };
    this.redraw("camera");
  }

  toggle(what) {
    this.show[what] = !this.show[what];
    this.redraw("overlay");
    return this.show[what];
  }

  hover(at, erasing) {
    this.pointer = at;
    this.hoverErases = erasing;
    this.redraw("cursor");
  }

  // -- after submission -----------------------------------------------------------------------------------------

  async showFeedback() {
    this.setAttribute("state", "submitted");
    this.autosave?.stop();
    const response = await fetch(this.getAttribute("truth"), { credentials: "same-origin" });
    if (!response.ok) throw new Error("The reference mask could not be loaded; reload the page to try again.");
    const truth = await response.json();
    this.partial = truth.partial;
    this.stops = [...truth.instances, ...truth.extras];
    this.stopAt = -1;
    this.mask.load(decode(truth.painted, this.size));
    this.encoded.clear();
    this.truth = decode(truth.mask, this.size);
    this.moveTo({ k: truth.largest_k });
    this.dispatchEvent(new CustomEvent("viewer:truth", { bubbles: true }));
  }

  nextStop() {
    if (!this.stops?.length) return;
    this.stopAt = (this.stopAt + 1) % this.stops.length;
    const { centroid, largest_k } = this.stops[this.stopAt];
    this.moveTo({ k: largest_k, j: centroid[1], i: centroid[2] });
  }

  // -- drawing --------------------------------------------------------------------------------------------------

  #arrived(k) {
    const done = this.stack.loaded;
    this.line.style.setProperty("--done", done / this.size[0]);
    this.line.toggleAttribute("data-complete", done === this.size[0]);
    this.#out("loaded", done === this.size[0] ? "" : `${done} of ${this.size[0]} slices`);
    if (this.plane.axis !== "k" || k === this.cursor.k) this.redraw();
  }

  redraw(what = "ct") {
    if (what === "ct") this.dirty.ct = this.dirty.overlay = true;
    if (what === "overlay") this.dirty.overlay = true;
    this.frameAsked ??= requestAnimationFrame(() => {
      this.frameAsked = null;
      this.#draw();
    });
  }

  #draw() {
    const width = this.clientWidth, height = this.clientHeight, ratio = window.devicePixelRatio || 1;
    if (!width || !height) return;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== wide || this.canvas.height !== high) [this.canvas.width, this.canvas.height] = [wide, high];
    const context = this.canvas.getContext("2d", { alpha: false });
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = "#06080a";
    context.fillRect(0, 0, width, height);
    if (!this.plane) return notice(context, width, height, [this.problem || "Opening the scan"]);
    const frame = this.#frame();
    const exact = this.plane.axis !== "k" || this.stack.get(this.cursor.k);
    if (exact) {
      if (this.dirty.ct) this.picture.ctPlane(this.plane, this.#rows(), this.table);
      const overlay = this.mask.slices.size > 0 || this.truth;
      if (this.dirty.overlay && overlay) this.picture.overlay(this.plane, this.#kinds(), this.#style());
      this.dirty.ct = this.dirty.overlay = false;
      this.picture.show(context, frame, this.plane, ratio, overlay);
      this.markReady();
    } else {
      const failed = this.stack.failed.get(this.cursor.k);
      notice(context, width, height, failed ? [failed, "Scroll on: the other slices are not affected."] : ["Loading this slice"]);
    }
    scaleBar(context, frame, height);
    this.#ring(context, frame);
    this.#say();
  }

  /** HU of a row of the plane, from the slices that have come. */
  #rows() {
    const [K, , I] = this.size, slice = this.slice;
    if (this.plane.view === "axial") {
      const data = this.stack.get(slice);
      return (row) => ({ data, start: row * I, step: 1 });
    }
    return (row) => {
      const data = this.stack.get(K - 1 - row);
      if (!data) return null;
      return this.plane.view === "coronal" ? { data, start: slice * I, step: 1 } : { data, start: slice, step: I };
    };
  }

  /** Per pixel of the plane: a name of COLOURS, or "". */
  #kinds() {
    const { rows, cols } = this.plane, [K, , I] = this.size, slice = this.slice;
    const kinds = new Array(rows * cols).fill("");
    const painted = this.show.painted, truth = this.truth && this.show.truth;
    const extra = this.partial ? "unjudged" : "extra";
    const row = (k, start, step, at) => {
      const mine = painted && this.mask.slices.get(k), theirs = truth && this.truth.get(k);
      if (!mine && !theirs) return;
      for (let col = 0, from = start; col < cols; col++, from += step) {
        const m = mine ? mine[from] : 0, t = theirs ? theirs[from] : 0;
        if (m || t) kinds[at + col] = m && t ? "both" : t ? "missed" : truth ? extra : "painted";
      }
    };
    for (let r = 0; r < rows; r++) {
      if (this.plane.view === "axial") row(slice, r * I, 1, r * cols);
      else if (this.plane.view === "coronal") row(K - 1 - r, slice * I, 1, r * cols);
      else row(K - 1 - r, slice, I, r * cols);
    }
    return kinds;
  }

  #style() {
    return { colours: COLOURS, fill: this.show.fill, hatched: { extra: true, unjudged: true }, dotted: { missed: true } };
  }

  #ring(context, frame) {
    const painting = this.editable && (this.tool === "brush" || this.tool === "eraser");
    this.canvas.style.cursor = painting ? "none" : this.tool === "pan" || !this.editable ? "grab" : "default";
    if (!this.pointer || !painting) return;
    brushRing(context, this.pointer.x, this.pointer.y, (this.brushMm / 2) * frame.scale, this.hoverErases || this.tool === "eraser");
  }

  #say() {
    const { level, width, name } = this.windowing;
    const shown = this.plane.axis === "k" ? this.size[0] - this.cursor.k : this.slice + 1;
    let hu = "";
    if (this.pointer) {
      const cell = cellAt(this.#frame(), this.pointer.x, this.pointer.y);
      const row = Math.floor(cell.row), col = Math.floor(cell.col);
      if (row >= 0 && col >= 0 && row < this.plane.rows && col < this.plane.cols) {
        const { k, j, i } = this.plane.voxel(row, col, this.slice);
        const plane = this.stack.get(k);
        if (plane) hu = `   ${plane[j * this.size[2] + i]} HU`;
      }
    }
    const text = `${shown} / ${this.plane.depth}   L ${level}  W ${width}${name ? ` ${name}` : ""}${hu}`;
    if (this.caption.value !== text) this.caption.value = text;
  }

  #letters() {
    for (const [edge, letter] of Object.entries(this.plane.letters)) this.edges[edge].textContent = letter;
  }

  #out(name, text) {
    for (const place of document.querySelectorAll(`[data-out="${name}"]`)) if (place.textContent !== text) place.textContent = text;
  }
}

customElements.define("ct-viewer", CtViewer);
