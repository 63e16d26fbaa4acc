// Slices of a volume: fetched nearest first, coarse before exact where the line is slow, kept within a budget of memory.

import { Line } from "./line.js";
import { Loader } from "./loader.js";
import { refine } from "./planes.js";
import { readsBlocks } from "./slice_fetch.js";

const IN_FLIGHT = 5;
const BLOCKS_IN_FLIGHT = 3; // the rest of the line is kept for what is near
const NEAR = 4; // slices as near as this to the one on screen are fetched one by one, which is sooner
const GIVES_UP = 3; // nobody waits longer for a slice than until it has failed so often
const DEAD_MS = 1000; // a request older than this was made before the network came back
const SLOW_MS = 350; // an exact slice that takes longer than this is preceded by coarse ones
const MB = 1024 * 1024;

/** Bytes for slices: a fair part of what the device has, as far as it tells. */
export function budgetBytes(memoryGb = globalThis.navigator?.deviceMemory, coarsePointer = false) {
  if (memoryGb) return Math.min(640, Math.max(96, memoryGb * 96)) * MB;
  return (coarsePointer ? 320 : 640) * MB;
}

/** Resolves after the next frame, so that what has come is seen before more is asked for; soon, where no frames are made. */
const onScreen = () =>
  new Promise((done) => {
    setTimeout(done, 300);
    globalThis.requestAnimationFrame?.(() => setTimeout(done));
  });

export class Stack {
  /** onSlice(k) is called when a slice has come, coarse or exact, or has failed; failed: why those that never will do not. */
  constructor(manifest, onSlice, budget = budgetBytes(undefined, globalThis.matchMedia?.("(pointer: coarse)").matches)) {
    this.manifest = manifest;
    [this.K, this.J, this.I] = manifest.size;
    this.onSlice = onSlice;
    this.slices = new Map();
    this.coarse = new Map();
    this.failed = new Map();
    this.unpictured = new Set(); // slices that have no coarse picture
    this.flying = new Map(); // key -> {k, coarse, block, abort, began}
    this.line = new Line();
    this.wanted = new Set();
    this.held = new Set(); // slices that stay because something is worked out from them
    this.waiters = [];
    this.refined = { k: -1, plane: null };
    this.loader = new Loader();
    this.focus = this.K >> 1;
    this.direction = 1;
    this.slow = false;
    this.blocks = readsBlocks && Boolean(manifest.blocks);
    this.alone = new Set(); // slices that came in no block: asked for by themselves they say why
    // What does not fit as a whole is kept coarse, too, which takes up to a quarter of the budget.
    const exact = this.J * this.I * 2, coarse = Math.ceil(this.J / 4) * Math.ceil(this.I / 4) * 2;
    const fits = this.K * exact <= budget;
    this.coarseCapacity = fits ? this.K : Math.min(this.K, Math.floor(budget / 4 / coarse));
    this.capacity = Math.max(16, Math.floor((budget - (fits ? 0 : this.coarseCapacity * coarse)) / exact));
  }

  get(k) {
    return this.slices.get(k);
  }

  /** The slice as well as it is known by now: exact, or blended from its coarse picture. */
  best(k) {
    if (this.slices.has(k)) return this.slices.get(k);
    if (!this.coarse.has(k)) return undefined;
    if (this.refined.k !== k) this.refined = { k, plane: refine(this.coarse.get(k), this.J, this.I) };
    return this.refined.plane;
  }

  get loaded() {
    return this.slices.size;
  }

  /** As many as there will be: all of them, or what the budget holds. */
  get goal() {
    return Math.min(this.K, this.capacity);
  }

  /** Begin with slice k alone, coarse and exact; the rest follows when it is there. */
  open(k) {
    this.focus = k;
    this.opening = true;
    this.#fetch(k, true);
    this.#fetch(k, false);
    this.loader.start();
  }

  /** Look at slice k: what is near it, in the direction of travel, is fetched first. */
  look(k) {
    if (k !== this.focus) {
      this.direction = Math.sign(k - this.focus);
      this.opening = false;
      if (!this.waiters.length) this.held.clear();
    }
    this.focus = k;
    if (!this.slices.has(k)) {
      this.#makeRoom();
      this.line.hurry(`${k}`);
    }
    this.#pump();
  }

  /** As many slices as can be asked to stay. */
  get mostHeld() {
    return this.capacity < this.K ? Math.floor(this.capacity * 0.75) : this.K;
  }

  /**
   * Resolves when every slice of ks has come, or cannot come now. They stay, as many as can, until others are needed or
   * another slice is looked at.
   */
  need(ks) {
    if (!this.waiters.length) this.held.clear();
    for (const k of ks) if (this.held.size < this.mostHeld) this.held.add(k);
    const missing = new Set(ks.filter((k) => this.held.has(k) && !this.slices.has(k) && !this.failed.has(k)));
    if (!missing.size) return Promise.resolve();
    for (const k of missing) this.wanted.add(k);
    return new Promise((resolve) => {
      this.waiters.push({ missing, resolve });
      this.#pump();
    });
  }

  /** It is said that the server can be reached again. anew: what is under way was sent before, and is sent again. */
  resume({ anew = false } = {}) {
    const now = performance.now();
    for (const [key, { began, abort }] of this.flying) {
      if (!anew || now - began < DEAD_MS) continue;
      this.flying.delete(key);
      this.opening = false;
      abort.abort();
    }
    this.line.open();
    this.#pump();
  }

  distance(k) {
    const ahead = (k - this.focus) * this.direction;
    return ahead >= 0 ? ahead : -ahead * 1.6;
  }

  /** When the line is full of far slices, the farthest gives way to the one being looked at. */
  #makeRoom() {
    const exact = [...this.flying].filter(([, one]) => !one.coarse);
    if (exact.length < IN_FLIGHT || this.#comes(this.focus)) return;
    const [key, farthest] = exact.sort((a, b) => this.distance(b[1].k) - this.distance(a[1].k))[0];
    if (this.distance(farthest.k) <= 8 && !this.slow) return;
    this.flying.delete(key);
    farthest.abort.abort();
  }

  /** Whether the exact slice k is on its way. The one on screen does not wait for a block of eight: it is asked for by itself. */
  #comes(k) {
    return this.flying.has(`${k}`) || (k !== this.focus && this.flying.has(`b${this.#blockOf(k)}`));
  }

  #blockOf(k) {
    return Math.floor(k / this.manifest.block_slices);
  }

  /** The slices of the block that holds k, if fetching them together is worth it: nobody waits for one, most are missing. */
  #blockAround(k) {
    if (!this.blocks || this.slow || this.wanted.size || this.line.tries || !this.line.may("blocks")) return null;
    if (Math.abs(k - this.focus) <= NEAR) return null;
    const n = this.#blockOf(k), many = this.manifest.block_slices, first = n * many;
    const ks = Array.from({ length: Math.min(many, this.K - first) }, (_, at) => first + at);
    const missing = ks.filter((k) => !this.slices.has(k) && !this.alone.has(k) && !this.failed.has(k) && !this.flying.has(`${k}`));
    if (missing.length * 2 <= many || ks.some((k) => this.#isBeyond(this.distance(k)))) return null;
    return { block: n, ks };
  }

  /** Whether a slice that far off would only push out nearer ones, or be pushed out itself and asked for again. */
  #isBeyond(away) {
    return away > (this.capacity - this.held.size) / 2 && this.slices.size >= this.capacity;
  }

  /** Whether a coarse picture of slice k is worth asking for: for looking only, and while there is room. */
  #wantsCoarse(k, away) {
    if (this.coarse.has(k) || this.unpictured.has(k) || this.wanted.has(k) || this.flying.has(`${k}c`)) return false;
    return away <= this.coarseCapacity / 2 || this.coarse.size < this.coarseCapacity;
  }

  #next() {
    let best = null, least = Infinity;
    const coarseToo = (this.slow || this.capacity < this.K) && this.line.may("previews");
    for (let k = 0; k < this.K; k++) {
      if (this.slices.has(k) || this.failed.has(k)) continue;
      const away = this.wanted.has(k) ? -2 : this.distance(k);
      if (coarseToo && away / 12 - 1 < least && this.#wantsCoarse(k, away)) {
        least = away / 12 - 1;
        best = { k, coarse: true };
      }
      if (away >= least || this.#comes(k) || this.#isBeyond(away) || !this.line.may(`${k}`)) continue;
      least = away;
      best = { k, coarse: false };
    }
    return best;
  }

  #pump() {
    if (this.opening) return;
    while (this.flying.size < this.line.most(IN_FLIGHT)) {
      const next = this.#next();
      if (!next) break;
      const around = next.coarse ? null : this.#blockAround(next.k);
      if (!around) this.#fetch(next.k, next.coarse);
      else if ([...this.flying.values()].filter((one) => one.block).length < BLOCKS_IN_FLIGHT) this.#fetchBlock(next.k, around);
      else break;
    }
    this.#pumpLater();
  }

  /** What rests now is asked for when its time has come. */
  #pumpLater() {
    clearTimeout(this.timer);
    const { wait } = this.line;
    if (wait < Infinity) this.timer = setTimeout(() => this.#pump(), Math.ceil(wait));
  }

  /** Several far slices in one request. Where that fails they are fetched one by one, as nothing else is known of them. */
  async #fetchBlock(k, { block, ks }) {
    const key = `b${block}`, abort = new AbortController(), began = performance.now();
    this.flying.set(key, { k, coarse: false, block: true, abort, began });
    const url = this.manifest.blocks.replace("{n}", block), left = new Set(ks);
    const give = (n, plane) => {
      left.delete(ks[n]);
      if (abort.signal.aborted || this.slices.has(ks[n])) return;
      this.#keep(this.slices, this.capacity, ks[n], plane);
      this.#settled(ks[n]);
      this.onSlice(ks[n]);
    };
    try {
      await this.loader.getBlock(url, ks.length, this.J, this.I, abort.signal, give);
      if (abort.signal.aborted) return;
      this.line.came("blocks", began);
      for (const k of left) this.alone.add(k);
      this.#paced((performance.now() - began) / ks.length);
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error.final) this.blocks = false;
      else this.#failedNow(k, "blocks", error.message, began);
    }
    this.flying.delete(key);
    this.#pump();
  }

  /** ms: how long an exact slice took. */
  #paced(ms) {
    this.slow = ms / Math.max(1, Math.min(IN_FLIGHT, this.flying.size)) > SLOW_MS;
  }

  #address(k, coarse) {
    const address = this.manifest.slices.replace("{k}", k);
    return coarse ? `${address}${address.includes("?") ? "&" : "?"}format=preview` : address;
  }

  async #fetch(k, coarse) {
    const key = coarse ? `${k}c` : `${k}`, abort = new AbortController(), began = performance.now();
    const what = coarse ? "previews" : key; // where one coarse picture fails so would the others, and exact ones do as well
    this.flying.set(key, { k, coarse, abort, began });
    const [rows, cols] = coarse ? [Math.ceil(this.J / 4), Math.ceil(this.I / 4)] : [this.J, this.I];
    let plane = null, problem = null;
    try {
      plane = await this.loader.get(this.#address(k, coarse), rows, cols, abort.signal);
    } catch (error) {
      problem = error;
    }
    if (abort.signal.aborted) return;
    if (problem && !problem.final) this.#failedNow(k, what, problem.message, began);
    else {
      this.line.came(what, began);
      if (coarse) this.#cameCoarse(k, plane);
      else this.#cameExact(k, plane, problem, began);
    }
    this.flying.delete(key);
    this.onSlice(k);
    this.#pump();
  }

  #cameCoarse(k, plane) {
    if (plane) this.#keep(this.coarse, this.coarseCapacity, k, plane);
    else this.unpictured.add(k);
  }

  #cameExact(k, plane, problem, began) {
    if (problem) this.failed.set(k, problem.message);
    else {
      this.#keep(this.slices, this.capacity, k, plane);
      this.#paced(performance.now() - began);
    }
    this.#settled(k);
  }

  /** It will be asked for again. Whoever waits for slices is not kept waiting for a line that is down. */
  #failedNow(k, what, words, began) {
    this.line.failed(what, words, began);
    this.opening = false;
    if (this.line.down) for (const { resolve } of this.waiters.splice(0)) resolve();
    else if (this.line.tried(`${k}`) >= GIVES_UP) this.#answer(k);
    this.onSlice(this.focus); // whose picture says how the line is
  }

  #settled(k) {
    if (this.opening) {
      onScreen().then(() => {
        this.opening = false;
        this.#pump();
      });
    }
    this.wanted.delete(k);
    this.#answer(k);
  }

  /** Tell those who wait for slice k that it has come, or does not. */
  #answer(k) {
    for (const waiter of this.waiters) {
      waiter.missing.delete(k);
      if (!waiter.missing.size) waiter.resolve();
    }
    this.waiters = this.waiters.filter((waiter) => waiter.missing.size);
  }

  #keep(store, capacity, k, plane) {
    store.set(k, plane);
    if (store === this.slices) {
      if (this.refined.k === k) this.refined = { k: -1, plane: null };
      if (this.capacity >= this.K) this.coarse.delete(k); // it will not be looked at again
    }
    if (store.size <= capacity) return;
    const away = (n) => (this.held.has(n) ? -1 : this.distance(n));
    let farthest = k;
    for (const other of store.keys()) if (away(other) > away(farthest)) farthest = other;
    store.delete(farthest);
  }
}
