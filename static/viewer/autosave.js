// Keeps the draft: in this browser at once, on the server a moment after each stroke, again until it has arrived.

const WAIT_MS = 700;
const LONGEST_WAIT_MS = 20000;

export class Autosave {
  /** read() gives the mask in wire form; tell(state, sentence) is told "saving", "saved", "offline" or "refused". */
  constructor(url, csrf, read, tell) {
    Object.assign(this, { url, csrf, read, tell });
    this.key = `sightline:draft:${url}`;
    this.dirty = false;
    this.timer = null;
    this.wait = WAIT_MS;
    this.stopped = false;
    window.addEventListener("pagehide", () => this.flush());
    window.addEventListener("online", () => this.dirty && this.#soon(0));
  }

  /** Paint that had not reached the server when this browser last left the page, or null. */
  unsaved() {
    try {
      return JSON.parse(localStorage.getItem(this.key));
    } catch {
      return null;
    }
  }

  changed() {
    if (this.stopped) return;
    this.dirty = true;
    this.tell("saving", "Saving");
    this.#soon(this.wait);
  }

  /** The answer is in: nothing is to be kept any more. */
  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.#forget();
  }

  /** Leaving the page: what is not on the server stays in this browser, and is sent if it is small enough. */
  flush() {
    if (!this.dirty || this.stopped) return;
    const body = JSON.stringify({ mask: this.read() });
    this.#remember(body);
    if (body.length < 60000) fetch(this.url, { ...this.#request(body), keepalive: true }).catch(() => {});
  }

  #soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#save(), ms);
  }

  #request(body) {
    return { method: "PUT", body, credentials: "same-origin", headers: { "Content-Type": "application/json", "X-CSRFToken": this.csrf } };
  }

  async #save() {
    if (this.stopped) return;
    const body = JSON.stringify({ mask: this.read() });
    this.#remember(body);
    this.dirty = false;
    try {
      const response = await fetch(this.url, this.#request(body));
      if (this.stopped) return;
      if (response.ok) {
        this.wait = WAIT_MS;
        if (!this.dirty) {
          this.#forget();
          this.tell("saved", "Draft saved");
        }
        return;
      }
      const problem = await response.json().catch(() => ({}));
      if (response.status === 401 || response.status === 403) {
        this.dirty = true;
        this.tell("refused", "You are signed out; your paint is kept in this browser. Sign in again in another tab.");
      } else if (response.status < 500 && response.status !== 429) {
        this.tell("refused", problem.detail || "The draft was refused.");
        return;
      } else throw new Error(String(response.status));
    } catch {
      this.dirty = true;
      this.tell("offline", "No connection; your paint is kept in this browser");
    }
    this.wait = Math.min(LONGEST_WAIT_MS, this.wait * 2);
    this.#soon(this.wait);
  }

  #remember(body) {
    try {
      localStorage.setItem(this.key, body);
    } catch {
      // A full or forbidden local store costs the second copy only.
    }
  }

  #forget() {
    this.dirty = false;
    try {
      localStorage.removeItem(this.key);
    } catch {
      // See above.
    }
  }
}
