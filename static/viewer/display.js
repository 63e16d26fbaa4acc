// The half of <ct-viewer> that is looked at: panes, position, window, zoom, words. The other half takes paint.

import { Cine } from "./cine.js";
import { panTo, zoomAt } from "./geometry.js";
import { arrange, rectAt } from "./layout.js";
import { Pane } from "./pane.js";
import { Sight } from "./sight.js";

const TITLES = { axial: "Axial", coronal: "Coronal", sagittal: "Sagittal", you: "You", reference: "Reference", model: "Model" };
export const SLABS_MM = [0, 5, 10, 20];

export class Display extends HTMLElement {
  #compare = "overlay";

  constructor() {
    super();
    this.show = { painted: true, truth: true, hint: true, fill: true };
    this.opacity = 0.5;
    this.slabMm = 0;
    this.panes = [];
    this.active = this.pointed = this.pointer = null;
    this.truth = this.hint = this.unjudged = null;
    this.layout = "one";
    this.cine = new Cine(this);
  }

  /** The words around the picture. */
  furnish() {
    const part = (tag, className, more = {}) => {
      const made = Object.assign(document.createElement(tag), { className, ...more });
      this.append(made);
      return made;
    };
    this.edges = {};
    for (const edge of ["top", "bottom", "left", "right"]) {
      this.edges[edge] = part("span", `edge edge-${edge}`);
      this.edges[edge].dataset.edge = edge;
    }
    this.caption = part("output", "viewer-caption");
    this.caption.setAttribute("aria-live", "off");
    this.says = part("p", "viewer-says");
    this.says.setAttribute("role", "status");
    this.whispers = part("p", "sr");
    this.whispers.setAttribute("aria-live", "polite");
    this.line = part("span", "viewer-progress");
  }

  /** A sentence over the picture that goes by itself. */
  say(sentence) {
    this.says.textContent = sentence;
    this.says.toggleAttribute("data-shown", Boolean(sentence));
    clearTimeout(this.saying);
    this.saying = setTimeout(() => this.says.removeAttribute("data-shown"), 2500 + sentence.length * 45);
  }

  whisper(sentence) {
    this.whispers.textContent = sentence;
  }

  out(name, text) {
    for (const place of document.querySelectorAll(`[data-out="${name}"]`)) if (place.textContent !== text) place.textContent = text;
  }

  // -- panes ----------------------------------------------------------------------------------------------------

  get plane() {
    return this.active?.plane;
  }

  get view() {
    return this.plane?.view ?? "axial";
  }

  set view(name) {
    this.lay(this.#compare === "side" && this.truth ? "side" : "one", name);
    this.announce();
  }

  /** How the masks are compared: "overlay", "difference" or "side" (side by side with linked scroll). */
  get compare() {
    return this.#compare;
  }

  set compare(way) {
    this.#compare = way;
    this.layCompared();
  }

  /** Side by side there is a pane for each mask that has come. */
  layCompared() {
    if (this.#compare === "side" && this.truth) this.lay("side", this.view);
    else if (this.layout === "side") this.lay("one", this.view);
    this.redraw();
  }

  /** "one", "three" or "side": make the panes anew. */
  lay(layout, view = this.view) {
    this.strokeEnds();
    this.scene?.forget(this.panes);
    this.sight ??= new Sight(this.size);
    const left = this.panes.find((pane) => pane.plane.view === view) ?? this.active;
    if (left) this.sight.leave(left, this.layout, this.sliceOf(left));
    this.sight.forget();
    this.layout = layout;
    const make = (name, role = "") => Object.assign(new Pane(name, this.size, this.spacing, role), { title: TITLES[role || name] });
    if (layout === "three") this.panes = ["axial", "coronal", "sagittal"].map((name) => make(name));
    else if (layout === "side") {
      this.panes = ["you", "reference", ...(this.hint ? ["model"] : [])].map((role) => make(view, role));
    } else this.panes = [make(view)];
    this.arrange(this.clientWidth, this.clientHeight);
    for (const pane of this.panes) this.sight.enter(pane, layout, this.sliceOf(pane));
    // One camera for all that are side by side: zoom and pan are linked.
    if (layout === "side") for (const pane of this.panes) pane.camera = this.panes[0].camera;
    this.active = this.panes.find((pane) => pane.plane.view === view) ?? this.panes[0];
    this.pointed = this.active;
    this.toggleAttribute("several", this.panes.length > 1);
    for (const [edge, letter] of Object.entries(this.plane.letters)) this.edges[edge].textContent = letter;
    this.dispatchEvent(new CustomEvent("viewer:view", { bubbles: true, detail: { view: this.view, layout } }));
    this.redraw();
  }

  arrange(width, height) {
    const rects = arrange(this.layout, width, height, this.panes.length);
    this.panes.forEach((pane, n) => (pane.rect = rects[n]));
  }

  #paneAt(x, y) {
    this.arrange(this.clientWidth, this.clientHeight);
    return this.panes[rectAt(this.panes.map((pane) => pane.rect), x, y)] ?? null;
  }

  crosshairShown(pane) {
    return this.layout === "three" || this.tools.name === "crosshair" || (this.keyboard.on && pane === this.active);
  }

  // -- where we are ---------------------------------------------------------------------------------------------

  get k() {
    return this.cursor?.k;
  }

  set k(value) {
    this.moveTo({ k: value });
  }

  get slice() {
    return this.sliceOf(this.active);
  }

  /** The slice that a pane is at. It may not have been drawn yet. */
  sliceOf(pane) {
    return this.cursor[pane.plane.axis];
  }

  moveTo(place) {
    const clamp = (value, n) => Math.min(n - 1, Math.max(0, Math.round(value)));
    const next = { ...this.cursor, ...place };
    const cursor = { k: clamp(next.k, this.size[0]), j: clamp(next.j, this.size[1]), i: clamp(next.i, this.size[2]) };
    // A stroke ends with its slice: nobody paints on what is not on the screen.
    if (cursor[this.plane.axis] !== this.slice) this.strokeEnds();
    this.cursor = cursor;
    this.stack.look(this.cursor.k);
    this.redraw();
    this.announce();
  }

  /** Go to a voxel and see it: where a pane is zoomed in on somewhere else it moves over. */
  reveal({ k, j, i }) {
    this.moveTo({ k, j, i });
    this.arrange(this.clientWidth, this.clientHeight);
    for (const pane of this.panes) {
      const { row, col } = pane.plane.place(this.cursor);
      Object.assign(pane.camera, panTo(pane.camera, pane.screen(row, col), pane.rect));
    }
  }

  /** Slices towards the head are positive, in axial view; further back or left in the others. */
  step(by) {
    if (this.plane) this.moveTo({ [this.plane.axis]: this.slice + by });
  }

  /** A pane's slice number as people read it: 1 is the most superior. */
  numberOf({ plane }) {
    const slice = this.cursor[plane.axis];
    return `${plane.axis === "k" ? plane.depth - slice : slice + 1} / ${plane.depth}`;
  }

  announce() {
    this.out("slice", this.numberOf(this.active));
    this.dispatchEvent(new CustomEvent("viewer:slice", { bubbles: true, detail: { ...this.cursor, view: this.view } }));
  }

  voxelAt(clientX, clientY) {
    if (!this.plane) return null;
    const box = this.getBoundingClientRect(), at = { x: clientX - box.left, y: clientY - box.top };
    const pane = this.#paneAt(at.x, at.y), cell = pane?.inside(at);
    return cell ? pane.plane.voxel(cell.row, cell.col, this.sliceOf(pane)) : null;
  }

  clientAt(k, j, i) {
    this.arrange(this.clientWidth, this.clientHeight);
    const box = this.getBoundingClientRect(), { row, col } = this.plane.place({ k, j, i });
    const at = this.active.screen(row, col);
    return { x: box.left + at.x, y: box.top + at.y };
  }

  /** HU of a voxel, or null while its exact slice has not come. */
  huAt({ k, j, i }) {
    return this.stack.get(k)?.[j * this.size[2] + i] ?? null;
  }

  /** The pointer is at a place of the picture, or (null) somewhere else. */
  pointAt(at, erases) {
    this.pointer = at;
    this.hoverErases = erases;
    if (at && !this.stroking) {
      this.pointed = this.#paneAt(at.x, at.y) ?? this.active;
      this.#activate(this.pointed);
    }
    this.redraw("over");
  }

  #activate(pane) {
    if (!pane || pane === this.active) return;
    this.active = pane;
    this.announce();
  }

  keyboardPlace() {
    return this.keyboard.place();
  }

  // -- window, zoom, pan ----------------------------------------------------------------------------------------

  setWindow(level, width, name = "") {
    this.windowing = { level: Math.round(level), width: Math.max(1, Math.round(width)), name };
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

  zoomBy(factor, x, y) {
    const { rect, camera } = this.active;
    Object.assign(camera, zoomAt(camera, factor, x ?? rect.x + rect.width / 2, y ?? rect.y + rect.height / 2, rect));
    this.redraw();
  }

  panBy(dx, dy) {
    const { camera } = this.active;
    Object.assign(camera, { panX: camera.panX + dx, panY: camera.panY + dy });
    this.redraw();
  }

  fit() {
    for (const pane of this.panes) Object.assign(pane.camera, { zoom: 1, panX: 0, panY: 0 });
    this.redraw();
  }

  toggle(what) {
    this.show[what] = !this.show[what];
    this.redraw();
    return this.show[what];
  }

  /** Brightest voxel of a slab this thick, in mm; 0 is the slice alone. */
  setSlab(mm) {
    this.slabMm = mm;
    for (const pane of this.panes) pane.stale.ct = true;
    this.redraw();
  }

  /** Slices to each side that belong to the slab. */
  reach(plane) {
    return this.slabMm ? Math.max(1, Math.round(this.slabMm / 2 / plane.depthMm)) : 0;
  }

  // -- drawing --------------------------------------------------------------------------------------------------

  /** The masks changed: in a pane only under these spans, in the others anywhere. */
  touch(pane = null, spans = []) {
    for (const one of this.panes) {
      if (one !== pane) one.touch();
      else for (let n = 0; n < spans.length; n += 3) one.touch({ row0: spans[n], row1: spans[n] + 1, col0: spans[n + 1], col1: spans[n + 2] });
    }
    this.redraw();
  }

  /** what: "over" if only what lies over the picture has changed. */
  redraw(what) {
    this.scene?.redraw(what);
  }

  /** Said twice a second: said with every slice it would cost more than the slices do. */
  #progress() {
    const tell = () => {
      this.telling = null;
      const { loaded, goal } = this.stack;
      this.line.style.setProperty("--done", loaded / goal);
      this.line.toggleAttribute("data-complete", loaded >= goal);
      this.out("loaded", loaded >= goal ? "" : `${loaded} of ${goal} slices`);
    };
    this.telling ??= setTimeout(tell, 500);
  }

  arrived(k) {
    this.#progress();
    for (const pane of this.panes) {
      const { plane } = pane;
      if (plane.axis === "k" && Math.abs(k - this.cursor.k) > this.reach(plane)) continue;
      pane.stale.ct = true;
      this.redraw();
    }
  }

  /** The scene has been drawn; begun: its first exact slice is on the screen. lacks: what it lacks, in words. */
  drawn(begun, lacks) {
    if (begun) this.markReady();
    const { level, width, name } = this.windowing;
    const cell = this.pointer && this.pointed?.inside(this.pointer);
    const voxel = cell ? this.pointed.plane.voxel(cell.row, cell.col, this.sliceOf(this.pointed)) : this.keyboard.on ? this.cursor : null;
    const hu = voxel ? this.huAt(voxel) : null;
    const whole = (words) => words.replaceAll(" ", "\u00a0"); // not to be broken between two lines
    const words = [
      // Three planes have three numbers, each in its own pane.
      this.layout === "three" ? "" : whole(this.numberOf(this.active)),
      whole(`L ${level}`),
      whole(`W ${width}`),
      whole(name),
      this.slabMm ? whole(`${this.slabMm} mm slab`) : "",
      lacks,
      hu === null ? "" : whole(`${hu} HU`),
    ];
    const text = words.filter(Boolean).join("   ");
    if (this.caption.value !== text) this.caption.value = text;
    // It keeps to its corner: the letter in the middle of the upper edge stays free.
    const most = `${Math.round(this.panes[0].rect.width / 2 - 24)}px`;
    if (this.caption.style.maxWidth !== most) this.caption.style.maxWidth = most;
    this.dispatchEvent(new Event("viewer:drawn"));
  }
}
