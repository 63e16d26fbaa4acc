// Fetches and decodes slices: the first ones in the page, where it may have begun to load them, the rest in a worker.

import { fetchSlice } from "./slice_fetch.js";

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
  get(url, rows, cols, signal) {
    if (!this.worker) return fetchSlice(url, rows, cols, signal);
    const id = ++this.asked, { worker } = this;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      signal.addEventListener("abort", () => {
        worker.postMessage({ abort: id });
        this.#answer({ id, error: "aborted" });
      });
      worker.postMessage({ id, url, rows, cols });
    });
  }

  #answer({ id, plane, error, final }) {
    const one = this.waiting.get(id);
    this.waiting.delete(id);
    if (!one) return;
    if (plane) one.resolve(plane);
    else one.reject(Object.assign(new Error(error), { final }));
  }
}
