// Fetches and decodes slices: the first ones in the page, where it may have begun to load them, the rest in a worker.

import { fetchBlock, fetchSlice } from "./slice_fetch.js";

export class Loader {
  constructor() {
    this.waiting = new Map();
    this.asked = 0;
    this.worker = null;
  }

  /** Start the worker; until it is there, and where there can be none, slices are fetched in the page. */
  start() {
    try {
      const worker = new Worker(new URL("./slice_worker.js", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }) => (data.up ? (this.worker = worker) : this.#answer(data));
      worker.onerror = () => {
        this.worker = null;
        for (const id of [...this.waiting.keys()]) this.#answer({ id, error: "The slice reader stopped." });
      };
    } catch {
      this.worker = null;
    }
  }

  /** A slice of rows x cols as Int16Array. Rejects with {message, final}: final if asking again is of no use. */
  async get(url, rows, cols, signal) {
    if (!this.worker) return fetchSlice(url, rows, cols, signal);
    let slice;
    await this.#ask({ url, rows, cols }, signal, (n, plane) => (slice = plane));
    return slice;
  }

  /** A block of `count` slices: give(n, plane) for each as it comes. Resolves after the last of them; rejects like get. */
  getBlock(url, count, rows, cols, signal, give) {
    if (!this.worker) return fetchBlock(url, count, rows, cols, signal, give);
    return this.#ask({ url, rows, cols, count }, signal, give);
  }

  #ask(what, signal, give) {
    const id = ++this.asked, { worker } = this;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, give });
      signal.addEventListener("abort", () => {
        worker.postMessage({ abort: id });
        this.#answer({ id, error: "aborted" });
      });
      worker.postMessage({ id, ...what });
    });
  }

  #answer({ id, n, plane, done, error, final }) {
    const one = this.waiting.get(id);
    if (!one) return;
    if (plane) return one.give(n, plane);
    this.waiting.delete(id);
    if (done) one.resolve();
    else one.reject(Object.assign(new Error(error), { final }));
  }
}
