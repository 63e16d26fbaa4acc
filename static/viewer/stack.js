// Slices of a volume: fetched nearest first, kept within a budget of memory.

import { decodeSlice } from "./slice_codec.js";

const IN_FLIGHT = 5;
const BUDGET_BYTES = 640 * 1024 * 1024;
const RETRIES = 2;

export class Stack {
  /** onSlice(k) is called when a slice has come or has failed for good. */
  constructor(manifest, onSlice) {
    this.manifest = manifest;
    [this.K, this.J, this.I] = manifest.size;
    this.onSlice = onSlice;
    this.slices = new Map();
    this.failed = new Map();
    this.flying = new Map();
    this.focus = this.K >> 1;
    this.direction = 1;
    this.capacity = Math.max(16, Math.floor(BUDGET_BYTES / (this.J * this.I * 2)));
  }

  get(k) {
    return this.slices.get(k);
  }

  get loaded() {
    return this.slices.size;
  }

  /** Look at slice k: what is near it, in the direction of travel, is fetched first. */
  look(k) {
    if (k !== this.focus) this.direction = Math.sign(k - this.focus);
    this.focus = k;
    if (!this.slices.has(k) && !this.flying.has(k)) this.#makeRoom();
    this.#pump();
  }

  retry(k) {
    this.failed.delete(k);
    this.#pump();
  }

  #distance(k) {
    const ahead = (k - this.focus) * this.direction;
    return ahead >= 0 ? ahead : -ahead * 1.6;
  }

  /** When the line is full of far slices, the farthest gives way to the one being looked at. */
  #makeRoom() {
    if (this.flying.size < IN_FLIGHT) return;
    const [farthest, abort] = [...this.flying].sort((a, b) => this.#distance(b[0]) - this.#distance(a[0]))[0];
    if (this.#distance(farthest) > 8) {
      this.flying.delete(farthest);
      abort.abort();
    }
  }

  #next() {
    let best = -1, least = Infinity;
    for (let k = 0; k < this.K; k++) {
      if (this.slices.has(k) || this.flying.has(k) || this.failed.has(k)) continue;
      const distance = this.#distance(k);
      if (distance < least) [best, least] = [k, distance];
    }
    return least <= this.capacity / 2 || this.slices.size < this.capacity ? best : -1;
  }

  #pump() {
    while (this.flying.size < IN_FLIGHT) {
      const k = this.#next();
      if (k < 0) return;
      this.#fetch(k);
    }
  }

  async #fetch(k) {
    const abort = new AbortController();
    this.flying.set(k, abort);
    const url = this.manifest.slices.replace("{k}", k);
    for (let attempt = 0; ; attempt++) {
      try {
        const response = await fetch(url, { signal: abort.signal, credentials: "same-origin" });
        if (!response.ok) {
          const problem = await response.json().catch(() => ({}));
          throw Object.assign(new Error(problem.detail || `The server answered ${response.status}.`), { final: response.status !== 429 });
        }
        this.#keep(k, decodeSlice(new Uint8Array(await response.arrayBuffer()), this.J, this.I));
        break;
      } catch (error) {
        if (abort.signal.aborted) return;
        if (error.final || attempt >= RETRIES) {
          this.failed.set(k, error.message);
          break;
        }
        await new Promise((done) => setTimeout(done, 400 * 2 ** attempt));
      }
    }
    this.flying.delete(k);
    this.onSlice(k);
    this.#pump();
  }

  #keep(k, plane) {
    this.slices.set(k, plane);
    if (this.slices.size <= this.capacity) return;
    let farthest = k;
    for (const other of this.slices.keys()) {
      if (Math.abs(other - this.focus) > Math.abs(farthest - this.focus)) farthest = other;
    }
    this.slices.delete(farthest);
  }
}
