// <ct-viewer>: the island. Shows a volume, takes paint, keeps the draft, shows the truth after submission.
// Speaks to the page by its properties and its events; the page never looks inside.

import { Autosave } from "./autosave.js";
import { fetchBytes, SIGNED_OUT } from "./bytes.js";
import { Display } from "./display.js";
import { Keyboard } from "./keyboard.js";
import { listen } from "./input.js";
import { Layer } from "./layer.js";
import { PaintedMask } from "./mask.js";
import { Painter } from "./painter.js";
import { GHOST, HINT, PAINTED, TRUTH, UNJUDGED } from "./palette.js";
import { placeOf, touches } from "./place.js";
import { decode, fullest } from "./runs.js";
import { Scene } from "./scene.js";
import { renew } from "./session.js";
import { Stack } from "./stack.js";
import { Tools } from "./tools.js";
import { Troubles } from "./troubles.js";

const LONGEST_WAIT_MS = 5000; // between two tries to fetch the truth
const BRUSH_MM = [1, 2, 3, 4, 6, 8, 10, 14, 20, 30, 40];

export class CtViewer extends Display {
  constructor() {
    super();
    this.ready = new Promise((resolve, reject) => Object.assign(this, { markReady: resolve, markFailed: reject }));
    this.ready.catch(() => {});
    this.brushMm = 6;
    this.spaceHeld = false;
    this.penAt = null; // when a pen was seen last: since then fingers move the picture
    this.encoded = new Map();
    this.tools = new Tools(this);
    this.keyboard = new Keyboard(this);
    this.stroking = null;
    this.held = ""; // why nothing can be painted although the attempt is open
    this.waiting = []; // what is done when the stroke in hand is over
  }

  connectedCallback() {
    if (this.scene) return;
    this.tabIndex = 0;
    this.setAttribute("role", "application");
    if (!this.hasAttribute("aria-label")) this.setAttribute("aria-label", "CT scan. Arrow keys change slice, J paints by keyboard, question mark shows all keys.");
    const asked = new URLSearchParams(location.search).get("renderer");
    this.furnish();
    this.troubles = new Troubles(this);
    window.addEventListener("online", () => this.#resume({ anew: true }));
    document.addEventListener("session:renewed", () => this.#resume());
    this.scene = new Scene(this, this.getAttribute("renderer") ?? asked ?? "");
    new ResizeObserver(() => this.redraw()).observe(this);
    listen(this.scene.over, this);
    this.#open().catch((error) => {
      this.problem = error.message;
      this.markFailed(error);
      this.redraw();
    });
  }

  async #open() {
    const manifest = await this.#manifest();
    this.size = manifest.size;
    this.spacing = manifest.spacing_mm;
    this.presets = manifest.window_presets;
    this.windowing = { ...this.presets[0] };
    const [K, J, I] = this.size;
    // Always the middle of the scan: a start that followed the truth would give it away.
    this.cursor = { k: K >> 1, j: J >> 1, i: I >> 1 };
    this.stack = new Stack(manifest, (k) => {
      this.arrived(k);
      this.#sayLine();
    });
    this.stack.open(this.cursor.k);
    this.mask = new PaintedMask(this.size);
    this.painter = new Painter(this.mask, this.stack, (ks) => this.#painted(ks), (sentence) => this.say(sentence));
    this.lay("one");
    this.#restore();
    this.announce();
    this.redraw();
    if (this.getAttribute("state") === "submitted") this.showFeedback().catch((error) => this.#sayReference(error));
  }

  /** The network is back, or somebody signed in again: what failed is asked for at once. */
  #resume(how) {
    this.stack?.resume(how);
    this.wake?.();
  }

  #sayLine() {
    const { down, words } = this.stack.line;
    this.#sayTrouble("slices", "Some slices have not come.", down ? words : "");
  }

  #sayReference({ message, final = false }) {
    this.#sayTrouble("truth", "The reference has not come.", message, final);
  }

  /** why: words on why something did not come, "" if it did. final: it will not. */
  #sayTrouble(cause, what, why, final = false) {
    const signIn = ["Sign in", () => renew({ ask: true }).catch(() => {})];
    const sentence = `${what} ${why}${final ? "" : " What is missing comes by itself as soon as it can."}`;
    this.troubles.say(cause, why && sentence, why === SIGNED_OUT ? signIn : null);
  }

  /** The page may bring the manifest along, which saves a round trip before the first slice. */
  async #manifest() {
    const script = this.querySelector("script#manifest");
    if (script) return JSON.parse(script.textContent);
    const response = await fetch(this.getAttribute("volume"), { credentials: "same-origin" });
    if (!response.ok) throw new Error("The scan could not be opened; reload the page to try again.");
    return response.json();
  }

  #restore() {
    const script = this.querySelector('script[type="application/json"]:not(#manifest)');
    let draft = script ? JSON.parse(script.textContent) : null;
    if (this.hasAttribute("draft") && this.editable) {
      const tell = (state, sentence) => {
        this.out("saved", sentence);
        if (state === "submitted") this.held = sentence;
        this.dispatchEvent(new CustomEvent("viewer:saved", { bubbles: true, detail: { state, sentence } }));
      };
      this.autosave = new Autosave(this.getAttribute("draft"), () => this.painted, tell);
      const unsaved = this.autosave.unsaved(draft ?? { size: this.size, runs: {} });
      if (unsaved?.mask) draft = unsaved.mask;
      if (draft) this.#load(draft);
      if (unsaved?.mask) this.autosave.changed(0);
    } else if (draft) this.#load(draft);
    this.#painted();
  }

  #load(wire) {
    this.strokeFails(); // it was drawn on what is now replaced
    this.painter.filling.stop();
    try {
      this.mask.load(decode(wire, this.size));
      this.encoded.clear();
      this.touch();
    } catch {
      // A draft of another volume is no draft of this one.
    }
  }

  get editable() {
    return this.getAttribute("state") === "opened" && !this.held;
  }

  /** For hands: where an open attempt takes no paint they are told why. */
  #mayPaint() {
    if (this.held && this.getAttribute("state") === "opened") this.say(this.held);
    return this.editable;
  }

  // -- paint ----------------------------------------------------------------------------------------------------

  /** The painted mask in wire form. Only slices that changed are encoded again. */
  get painted() {
    const runs = {};
    for (const k of this.mask.painted()) {
      if (!this.encoded.has(k)) this.encoded.set(k, this.mask.slices.get(k).runs());
      runs[String(k)] = this.encoded.get(k);
    }
    return { size: [...this.size], runs };
  }

  /** A stroke of the current tool, at a place on the picture in CSS pixels. False if the tool takes none here. */
  strokeBegins(pane, at, erase) {
    const tool = this.tools.current;
    if (!pane || !tool.begin || (tool.paints && !this.#mayPaint())) return false;
    this.strokeEnds(); // of another hand
    this.active = pane;
    this.stroking = tool;
    tool.begin(pane, at, erase);
    return true;
  }

  strokeMoves(at) {
    this.stroking?.move(at);
  }

  strokeEnds() {
    this.#putDown("end");
  }

  strokeFails() {
    this.#putDown("cancel");
  }

  #putDown(how) {
    const { stroking } = this;
    if (!stroking) return;
    this.stroking = null;
    this.keyboard.held = false;
    stroking[how]();
    this.waiting.splice(0).forEach((act) => act());
  }

  /** Do something to the paint that must not fall into a stroke. */
  afterStroke(act) {
    if (this.stroking) this.waiting.push(act);
    else act();
  }

  undo() {
    this.#flip("undo", this.mask.history.done.at(-1), "Undone");
  }

  redo() {
    this.#flip("redo", this.mask.history.undone.at(-1), "Done again");
  }

  /** Take a stroke back or do it again, where it can be seen. */
  #flip(way, stroke, words) {
    if (!this.#mayPaint() || this.stroking || !stroke) return;
    this.#changed(this.mask[way]());
    if (this.panes.some(({ plane }) => touches(stroke, plane.axis, this.cursor[plane.axis], this.size))) return;
    this.reveal(placeOf(stroke, this.size));
    this.say(`${words} on slice ${this.numberOf(this.active)}`);
  }

  /** Erase what is painted on the slice of the plane in hand. */
  clearSlice() {
    if (!this.#mayPaint() || this.stroking) return;
    this.painter.clear(this.plane, this.slice);
    this.touch();
  }

  #changed(ks) {
    this.touch();
    this.#painted(ks);
  }

  /** Show what would lie between the painted slices; a call after that accepts it. */
  async fillBetween() {
    if (!this.#mayPaint() || !this.plane || this.stroking) return;
    const { filling, proposal } = this.painter;
    if (proposal) return this.acceptProposal();
    if (filling.on) return this.say("What lies between is still worked out. Escape stops it.");
    const proposed = this.painter.propose(this.plane);
    if (filling.on) this.say("Working out what lies between. Escape stops it.");
    const count = await proposed;
    if (count === null) return void (this.editable && this.say("Filling between was called off."));
    this.touch();
    if (!count) return this.say("Nothing to fill: outlines must overlap and lie at most 12 mm, or 0.6 of their diameter, apart.");
    const [dk, dj, di] = this.spacing;
    this.say(`${((count * dk * dj * di) / 1000).toFixed(2)} ml proposed, hatched. I accepts, Escape discards.`);
    this.toggleAttribute("proposing", true);
  }

  acceptProposal() {
    if (!this.#mayPaint() || this.stroking) return;
    this.painter.accept();
    this.discardProposal();
  }

  /** Stop what takes long. False if there is nothing. */
  callOff() {
    const filled = this.painter.filling.stop(), grew = this.tools.all.grow.work.stop();
    return filled || grew;
  }

  discardProposal() {
    this.painter.filling.stop();
    this.painter.proposal = null;
    if (this.hasAttribute("proposing")) this.say(""); // what was said of it is over
    this.toggleAttribute("proposing", false);
    this.touch();
  }

  #painted(changed = []) {
    changed.forEach((k) => this.encoded.delete(k));
    if (changed.length) this.painter.filling.stop();
    if (this.painter.proposal && changed.length) this.discardProposal();
    const [dk, dj, di] = this.spacing;
    const ml = (this.mask.count * dk * dj * di) / 1000;
    this.out("volume", this.mask.count ? `${ml < 10 ? ml.toFixed(2) : ml.toFixed(0)} ml` : "nothing painted");
    this.redraw();
    if (!changed.length) return;
    this.autosave?.changed();
    this.dispatchEvent(new CustomEvent("viewer:paint", { bubbles: true, detail: { voxels: this.mask.count } }));
  }

  /** Where was I: to the slice with most paint, in the direction of the plane in hand. */
  toMostPaint() {
    const { axis } = this.plane;
    this.moveTo({ [axis]: fullest(this.painted, axis) ?? this.slice });
  }

  get tool() {
    return this.tools.name;
  }

  setTool(name) {
    this.strokeEnds();
    this.tools.name = name;
    this.dataset.tool = name;
    this.dispatchEvent(new CustomEvent("viewer:tool", { bubbles: true, detail: { tool: name } }));
    this.redraw("over");
  }

  resizeBrush(by) {
    const at = BRUSH_MM.findLastIndex((mm) => mm <= this.brushMm);
    this.brushMm = BRUSH_MM[Math.min(BRUSH_MM.length - 1, Math.max(0, at + by))];
    this.out("size", `${this.brushMm} mm`);
    this.redraw("over");
  }

  // -- masks to look at -----------------------------------------------------------------------------------------

  /** Wire masks {painted, truth, hint}. Those that are given are replaced; null takes one away. */
  get layers() {
    return { painted: this.painted, truth: this.truth?.wire ?? null, hint: this.hint?.wire ?? null };
  }

  set layers(masks) {
    const layer = (wire) => (wire ? new Layer(wire, this.size) : null);
    if (masks.painted) this.#load(masks.painted);
    if ("truth" in masks) this.truth = layer(masks.truth);
    if ("hint" in masks) this.hint = layer(masks.hint);
    if (this.compare === "side") this.layCompared();
    this.touch();
  }

  /** What a pane shows, as [bit, mask] pairs. */
  layersOf() {
    const pairs = [
      [PAINTED, this.mask], [TRUTH, this.truth], [HINT, this.hint], [GHOST, this.painter.proposal], [UNJUDGED, this.unjudged],
    ];
    return pairs.filter(([, mask]) => mask);
  }

  async showFeedback() {
    this.setAttribute("state", "submitted");
    this.autosave?.stop();
    this.callOff();
    this.painter.proposal = null;
    const truth = await this.#fetchTruth();
    this.unjudged = new Layer(truth.unjudged, this.size);
    this.stops = [...truth.instances, ...truth.extras];
    // Where one is brought first.
    this.stopAt = this.stops.findIndex((stop) => stop.largest_k === truth.largest_k);
    this.layers = { painted: truth.painted, truth: truth.mask };
    if (this.stopAt >= 0) this.#stop(this.stops[this.stopAt]);
    else this.moveTo({ k: truth.largest_k });
    this.dispatchEvent(new CustomEvent("viewer:truth", { bubbles: true }));
  }

  /** The truth, however often it has to be asked for. */
  async #fetchTruth() {
    for (let wait = 500; ; wait = Math.min(LONGEST_WAIT_MS, 2 * wait)) {
      try {
        const bytes = await fetchBytes(this.getAttribute("truth"), null, "application/json");
        const truth = JSON.parse(new TextDecoder().decode(bytes));
        this.#sayTrouble("truth", "", "");
        return truth;
      } catch (error) {
        this.#sayReference(error);
        if (error.final) throw error;
      }
      await new Promise((done) => {
        this.wake = done;
        setTimeout(done, wait);
      });
    }
  }

  #stop({ centroid, largest_k }) {
    this.reveal({ k: largest_k, j: centroid[1], i: centroid[2] });
  }

  /** by: 1 for the next place, -1 for the one before. */
  nextStop(by = 1) {
    if (!this.stops?.length) return;
    const n = this.stops.length, from = this.stopAt < 0 && by < 0 ? 0 : this.stopAt;
    this.stopAt = (from + by + n) % n;
    this.#stop(this.stops[this.stopAt]);
  }
}

customElements.define("ct-viewer", CtViewer);
