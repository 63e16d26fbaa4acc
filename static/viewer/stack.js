// Slices of a volume: fetched nearest first, coarse before exact where the line is slow, kept within a budget of memory.

import { Loader } from "./loader.js";
import { refine } from "./planes.js";
import { readsBlocks } from "./slice_fetch.js";

const IN_FLIGHT = 5;
const BLOCKS_IN_FLIGHT = 3; // the rest of the line is kept for what is near
const NEAR = 4; // slices as near as this to the one on screen are fetched one by one, which is sooner
const RETRIES = 2;
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
  /** onSlice(k) is called when a slice has come, coarse or exact, or has failed for good. */
  constructor(manifest, onSlice, budget = budgetBytes(undefined, globalThis.matchMedia?.("(pointer: coarse)").matches)) {
    this.manifest = manifest;
    [this.K, this.J, this.I] = manifest.size;
    this.onSlice = onSlice;
    this.slices = new Map();
    this.coarse = new Map();
    this.failed = new Map();
    this.flying = new Map(); // key -> {k, coarse, block, abort}
    this.wanted = new Set();
    this.waiters = [];
    this.refined = { k: -1, plane: null };
    this.loader = new Loader();
    this.focus = this.K >> 1;
    this.direction = 1;
    this.slow = false;
    this.blocks = readsBlocks && Boolean(manifest.blocks);
    this.alone = new Set(); // slices that came in no block: asked for by themselves they say why
    this.capacity = Math.max(16, Math.floor(budget / (this.J * this.I * 2)));
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
    }
    this.focus = k;
    if (!this.slices.has(k)) this.#makeRoom();
    this.#pump();
  }

  /** Resolves when every slice of ks has come or cannot come. */
  need(ks) {
    const missing = new Set(ks.filter((k) => !this.slices.has(k) && !this.failed.has(k)));
    if (!missing.size) return Promise.resolve();
    for (const k of missing) this.wanted.add(k);
    return new Promise((resolve) => {
      this.waiters.push({ missing, resolve });
      this.#pump();
    });
  }

  retry(k) {
    this.failed.delete(k);
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
    if (!this.blocks || this.slow || this.wanted.size || Math.abs(k - this.focus) <= NEAR) return null;
    const n = this.#blockOf(k), many = this.manifest.block_slices, first = n * many;
    const ks = Array.from({ length: Math.min(many, this.K - first) }, (_, at) => first + at);
    const missing = ks.filter((k) => !this.slices.has(k) && !this.alone.has(k) && !this.failed.has(k) && !this.flying.has(`${k}`));
    if (missing.length * 2 <= many || ks.some((k) => this.#isBeyond(this.distance(k)))) return null;
    return { block: n, ks };
  }

  /** Whether a slice that far off would only push out nearer ones. */
  #isBeyond(away) {
    return away > this.capacity / 2 && this.slices.size >= this.capacity;
  }

  #next() {
    let best = null, least = Infinity;
    const coarseToo = this.slow || this.capacity < this.K;
    for (let k = 0; k < this.K; k++) {
      if (this.slices.has(k) || this.failed.has(k)) continue;
      const away = this.wanted.has(k) ? -2 : this.distance(k);
      if (coarseToo && !this.coarse.has(k) && !this.flying.has(`${k}c`) && away / 12 - 1 < least) {
        least = away / 12 - 1;
        best = { k, coarse: true };
      }
      if (away >= least || this.#comes(k) || this.#isBeyond(away)) continue;
      least = away;
      best = { k, coarse: false };
    }
    return best;
  }

  #pump() {
    if (this.opening) return;
    while (this.flying.size < IN_FLIGHT) {
      const next = this.#next();
      if (!next) return;
      const around = next.coarse ? null : this.#blockAround(next.k);
      if (!around) this.#fetch(next.k, next.coarse);
      else if ([...this.flying.values()].filter((one) => one.block).length < BLOCKS_IN_FLIGHT) this.#fetchBlock(next.k, around);
      else return;
    }
  }

  /** Several far slices in one request. Where that fails they are fetched one by one, as nothing else is known of them. */
  async #fetchBlock(k, { block, ks }) {
    const key = `b${block}`, abort = new AbortController(), began = performance.now();
    this.flying.set(key, { k, coarse: false, block: true, abort });
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
      for (const k of left) this.alone.add(k);
      this.#paced((performance.now() - began) / ks.length);
    } catch {
      if (abort.signal.aborted) return;
      this.blocks = false;
    }
    this.flying.delete(key);
    this.#pump();
  }

  /** ms: how long an exact slice took. */
  #paced(ms) {
    this.slow = ms / Math.max(1, Math.min(IN_FLIGHT, this.flying.size)) > SLOW_MS;
  }

  async #fetch(k, coarse) {
    const key = coarse ? `${k}c` : `${k}`, abort = new AbortController(), began = performance.now();
    this.flying.set(key, { k, coarse, abort });
    const url = this.manifest.slices.replace("{k}", k) + (coarse ? "?format=preview" : "");
    const [rows, cols] = coarse ? [Math.ceil(this.J / 4), Math.ceil(this.I / 4)] : [this.J, this.I];
    for (let attempt = 0; ; attempt++) {
      try {
        const plane = await this.loader.get(url, rows, cols, abort.signal);
        if (abort.signal.aborted) return;
        if (coarse) this.#keep(this.coarse, this.capacity * 8, k, plane);
        else {
          this.#keep(this.slices, this.capacity, k, plane);
          this.#paced(performance.now() - began);
        }
        break;
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error.final || attempt >= RETRIES) {
          if (!coarse) this.failed.set(k, error.message);
          break;
        }
        await new Promise((done) => setTimeout(done, 400 * 2 ** attempt));
      }
    }
    this.flying.delete(key);
    if (!coarse) this.#settled(k);
    this.onSlice(k);
    this.#pump();
  }

  #settled(k) {
    if (this.opening) {
      onScreen().then(() => {
        this.opening = false;
        this.#pump();
      });
    }
    this.wanted.delete(k);
    for (const waiter of this.waiters) {
      waiter.missing.delete(k);
      if (!waiter.missing.size) waiter.resolve();
    }
    this.waiters = this.waiters.filter((waiter) => waiter.missing.size);
  }

  #keep(store, capacity, k, plane) {
    store.set(k, plane);
    if (store === this.slices && this.refined.k === k) this.refined = { k: -1, plane: null };
    if (store.size <= capacity) return;
    let farthest = k;
    for (const other of store.keys()) if (Math.abs(other - this.focus) > Math.abs(farthest - this.focus)) farthest = other;
    store.delete(farthest);
  }
}
