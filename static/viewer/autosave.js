// Keeps the draft: in this browser at once, on the server a moment after each stroke, again until it has arrived.
// What is said is said by tell() and by the event draft:state of the document.

import { CONTENT_TYPE, deflate, fromVarints, storedBlocks, toVarints } from "./compact.js";
import { csrf, send, SignedOut } from "./session.js";

const WAIT_MS = 700;
const LONGEST_STROKES_MS = 5000; // strokes without a pause between them are sent this often all the same
const LONGEST_WAIT_MS = 20000;
const LONGEST_ASKED_MS = 60000; // that the server may ask to wait
const REMEMBER_MS = 250; // between two copies in this browser
const GIVE_UP_MS = 30000; // of one request
const MOST_KEEPALIVE = 60000; // bytes a browser sends for a page that is gone
const DAYS_KEPT = 60;
const PREFIX = "sightline:draft:";

/** What keeps paint from the server, in words; and what comes of what this browser keeps. */
const TROUBLES = {
  offline: ["No connection.", " and saved when the connection is back"],
  silent: ["The server does not answer.", " and sent again until it does"],
  failing: ["The server cannot save just now.", " and sent again until it can"],
  busy: ["The server asks to wait a little.", " and saved after that"],
  "signed-out": ["You are signed out.", ""],
};

/** The server took the request and could not do it now. */
class NotNow extends Error {
  constructor({ status, headers }) {
    super(String(status));
    this.state = status === 429 ? "busy" : "failing";
    this.ms = Math.min(LONGEST_ASKED_MS, 1000 * (Number(headers.get("Retry-After")) || 0));
  }
}

function troubleOf(error) {
  if (error instanceof SignedOut) return "signed-out";
  return error.state ?? (error.name === "TimeoutError" ? "silent" : "offline");
}

function inText(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

export class Autosave {
  /** The one of this page, for what is around the viewer. */
  static current = null;

  /** read() gives the mask in wire form; tell(state, sentence) is told how the draft is. */
  constructor(url, read, tell) {
    const { user = "", revision = "", writer = "" } = document.getElementById("panel")?.dataset ?? {};
    Object.assign(this, { url, read, tell });
    this.key = `${PREFIX}${user}:${url}:`;
    this.revision = revision === "" ? null : Number(revision);
    this.lastWriter = writer;
    this.me = [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    this.dirty = this.sending = this.paused = this.stopped = false;
    this.said = ["", ""];
    this.stands = ""; // "conflict" or "refused": nothing is sent until the person has chosen
    this.wait = WAIT_MS;
    this.kept = true; // did this browser take the last copy?
    this.rememberedAt = -REMEMBER_MS;
    Autosave.current = this;
    window.addEventListener("pagehide", () => this.flush());
    // A page that a phone puts away is often ended without another word.
    document.addEventListener("visibilitychange", () => document.hidden && this.flush());
    window.addEventListener("online", () => this.#again());
    document.addEventListener("session:renewed", () => this.#again());
    this.#meetOtherTabs(`${PREFIX}${user}:${url}`);
    this.#sweep();
  }

  /** Something keeps the paint from the server: what, and whether it is safe meanwhile. */
  #sayTrouble(state) {
    const [what, then] = TROUBLES[state];
    const safe = this.kept
      ? `Paint on: it is kept in this browser${then}.`
      : "This browser keeps no copy, so leave this page open until it is saved.";
    this.#say(state, `${what} ${safe}`);
  }

  #say(state, sentence) {
    if (this.stopped) return;
    this.state = state;
    this.said = [state, sentence];
    this.tell(state, sentence);
    document.dispatchEvent(new CustomEvent("draft:state", { detail: { state, sentence } }));
  }

  // -- this browser's own copy ----------------------------------------------------------------------------------

  /**
   * {mask}: paint that had not reached the server when this browser last left the page, or null. draft: what is there.
   * It goes on from that draft if it was made on its revision, by its writer, or on the very same paint: a page that is
   * left twice in a second does not hear of the first time's revision.
   */
  unsaved(draft) {
    const copies = this.#copies(), there = inText(toVarints(draft));
    const mine = copies.find(
      ({ revision, writer, base }) => revision === this.revision || (writer && writer === this.lastWriter) || base === there,
    );
    try {
      if (mine) {
        Object.assign(this, { adopted: mine.key, base: mine.paint });
        return { mask: fromVarints(mine.bytes) };
      }
    } catch {
      this.#drop(mine.key);
    }
    if (copies.length) {
      this.leftover = copies[0];
      const when = new Date(copies[0].at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      this.#say("leftover", `This browser still holds paint of ${when} that never reached the server; other paint was saved since.`);
    }
    return null;
  }

  /** The leftover paint instead of the draft that was saved since, or not at all. */
  useLeftover() {
    const { key, bytes } = this.leftover;
    this.#drop(key);
    this.#remember(bytes); // under the revision of now: the page that comes back takes it up
    this.stopped = true;
    location.reload();
  }

  dropLeftover() {
    this.#drop(this.leftover.key);
    this.#say("saved", "Draft saved");
  }

  /** Copies of this attempt, one per tab that left something, the latest first. */
  #copies() {
    let keys = [];
    try {
      keys = Object.keys(localStorage).filter((key) => key.startsWith(this.key));
    } catch {
      // A forbidden local store holds none.
    }
    return keys.flatMap((key) => this.#copy(key)).sort((a, b) => b.at - a.at);
  }

  /** One of them; none if it cannot be read. */
  #copy(key) {
    try {
      const copy = JSON.parse(localStorage.getItem(key));
      return [{ ...copy, key, bytes: Uint8Array.from(atob(copy.paint), (letter) => letter.charCodeAt(0)) }];
    } catch {
      return [];
    }
  }

  #rememberSoon() {
    const rest = Math.max(0, this.rememberedAt + REMEMBER_MS - performance.now());
    this.remembering ??= setTimeout(() => this.#remember(), rest);
  }

  #rememberNoMore() {
    clearTimeout(this.remembering);
    this.remembering = null;
  }

  #remember(bytes = toVarints(this.read())) {
    this.#rememberNoMore();
    if (this.stopped) return;
    const before = this.kept;
    this.rememberedAt = performance.now();
    try {
      const copy = { at: Date.now(), revision: this.revision, writer: this.me, paint: inText(bytes), base: this.base };
      localStorage.setItem(this.key + this.me, JSON.stringify(copy));
      this.kept = true;
    } catch {
      this.kept = false; // a full or forbidden local store
    }
    if (this.kept !== before && this.state in TROUBLES) this.#sayTrouble(this.state);
  }

  #drop(...keys) {
    try {
      keys.forEach((key) => localStorage.removeItem(key));
    } catch {
      // See above.
    }
  }

  /** Copies that nobody came back for. */
  #sweep() {
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith(PREFIX)) continue;
        const { at } = JSON.parse(localStorage.getItem(key));
        if (!(at > Date.now() - DAYS_KEPT * 86400000)) localStorage.removeItem(key);
      }
    } catch {
      // See above.
    }
  }

  // -- other tabs of this browser ---------------------------------------------------------------------------------

  #meetOtherTabs(name) {
    if (!("BroadcastChannel" in window)) return;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = ({ data }) => {
      if (data === "hello") this.channel.postMessage("here");
      if (data === "hello" || data === "here") this.#otherTab("This attempt is open in another tab as well. Paint in one of them only.");
      if (data === "saved") this.#otherTab("Paint was saved in another tab; it is not in this one. Reload to go on from there.");
      if (data === "submitted") {
        this.#say("submitted", "This attempt was submitted in another tab.");
        this.stopped = true;
      }
    };
    this.channel.postMessage("hello");
  }

  #otherTab(sentence) {
    if (!this.stands && !this.stopped) document.dispatchEvent(new CustomEvent("draft:state", { detail: { state: "elsewhere", sentence } }));
  }

  // -- saving ---------------------------------------------------------------------------------------------------

  /** The paint changed; it is sent after a moment without further strokes. */
  changed(wait = this.wait) {
    if (this.stopped) return;
    this.dirty = true;
    this.#rememberSoon();
    if (this.stands === "refused") this.stands = "";
    if (this.stands || this.paused) return;
    if (!(this.state in TROUBLES)) this.#say("saving", "Saving");
    this.since ??= performance.now();
    // After a failure no stroke puts off the next try; else none puts it off for long.
    if (this.timer && this.wait > WAIT_MS) return;
    this.#soon(Math.min(wait, Math.max(0, this.since + LONGEST_STROKES_MS - performance.now())));
  }

  /** While an answer is on its way nothing else is sent, or said. */
  pause() {
    this.paused = this.answered = true;
    clearTimeout(this.timer);
    this.timer = null;
    this.before = this.said;
    this.#say("answering", "");
  }

  resume() {
    this.paused = false;
    if (this.state === "answering") this.#say(...(this.dirty && !this.stands ? ["saving", "Saving"] : this.before));
    this.#again();
  }

  /** The answer is in: nothing is to be kept any more. */
  stop() {
    if (!this.stopped) this.channel?.postMessage("submitted");
    this.stopped = true;
    clearTimeout(this.timer);
    this.#rememberNoMore();
    this.#drop(...this.#copies().map((copy) => copy.key));
  }

  /** Somebody else's draft is on the server; revision: its number. Nothing is sent until keepMine or takeTheirs. */
  conflict(sentence, revision) {
    this.stands = "conflict";
    this.theirRevision = revision;
    this.#remember();
    this.#say("conflict", sentence);
  }

  keepMine() {
    this.revision = this.theirRevision;
    this.stands = "";
    this.dirty = true;
    this.#say("saving", "Saving");
    this.#soon(0);
  }

  takeTheirs() {
    this.stopped = true;
    this.#drop(this.key + this.me, ...(this.adopted ? [this.adopted] : []));
    location.reload();
  }

  /** The page is left or put away: what is not on the server stays in this browser, and is sent if it is small enough. */
  flush() {
    if ((!this.dirty && !this.sending) || this.stopped) return;
    const bytes = toVarints(this.read());
    this.#remember(bytes);
    const body = storedBlocks(bytes);
    if (this.stands || this.paused || body.length > MOST_KEEPALIVE) return;
    const signal = AbortSignal.timeout(GIVE_UP_MS);
    const request = { ...this.#request(body), credentials: "same-origin", keepalive: true, signal };
    request.headers["X-CSRFToken"] = csrf();
    this.flushed = fetch(this.#address(), request).catch(() => {});
  }

  #again() {
    if (this.dirty && !this.stands && !this.paused) this.#soon(0);
  }

  #soon(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.timer = null;
      this.#save();
    }, ms);
  }

  #address() {
    const query = new URLSearchParams({ writer: this.me });
    if (this.revision !== null) query.set("revision", this.revision);
    return `${this.url}?${query}`;
  }

  #request(body) {
    return { method: "PUT", body, headers: { "Content-Type": CONTENT_TYPE } };
  }

  async #save() {
    if (this.stopped || this.stands || this.paused || this.sending) return;
    this.sending = true;
    await this.flushed; // older paint must not arrive after newer
    if (this.stopped || this.stands || this.paused) return void (this.sending = false);
    this.dirty = false;
    this.since = null;
    const bytes = toVarints(this.read());
    this.#remember(bytes);
    try {
      const request = { ...this.#request(await deflate(bytes)), signal: AbortSignal.timeout(GIVE_UP_MS) };
      await this.#answered(await send(this.#address(), request, { ask: false }));
    } catch (error) {
      this.dirty = true;
      if (!this.paused) this.#sayTrouble(troubleOf(error));
      this.wait = Math.max(error.ms ?? 0, Math.min(LONGEST_WAIT_MS, this.wait * 2));
    } finally {
      this.sending = false;
    }
    if (this.dirty && !this.stands && !this.stopped) this.#soon(this.wait);
  }

  async #answered(response) {
    const answer = await response.json().catch(() => ({}));
    if (this.stopped) return;
    if (response.ok && !answer.saved_at) throw new Error("not our server"); // a portal that answers for the network
    if (response.ok) {
      if (this.revision !== null) this.revision = answer.revision;
      this.wait = WAIT_MS;
      this.channel?.postMessage("saved");
      if (this.dirty) return;
      this.#rememberNoMore();
      this.#drop(this.key + this.me, ...(this.adopted ? [this.adopted] : []));
      this.adopted = this.base = undefined;
      this.#say("saved", "Draft saved");
    } else if (response.status >= 500 || response.status === 429) {
      throw new NotNow(response);
    } else if (answer.code === "stale") {
      this.dirty = true;
      this.conflict(answer.detail, answer.revision);
    } else if (answer.code === "submitted") {
      this.dirty = true;
      if (this.paused) return; // by the answer that is on its way
      const mine = "An answer to this attempt has arrived: the one that you took back, or one from another tab or device. It stands.";
      this.#say("submitted", this.answered ? mine : "This attempt was submitted in another tab or on another device.");
      this.stopped = true;
    } else {
      this.dirty = true;
      this.stands = "refused"; // the next stroke tries again
      this.#say("refused", answer.detail || "The draft was refused.");
    }
  }
}
