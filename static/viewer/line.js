// The line to the server. Once it fails it rests, longer each time, and then one request tries it; what failed itself waits
// longer still. However it fails, hardly more than one request a second is made. Pure: the clock is brought along.

const REST_MS = 500, LONGEST_REST_MS = 5000; // of the line
const WAIT_MS = 1000, LONGEST_WAIT_MS = 30000; // of one thing that failed
const SOON_MS = 1000; // after a failure nothing is urgent enough to be asked for sooner

const later = (tries, first, longest) => Math.min(longest, first * 2 ** (tries - 1));

export class Line {
  constructor(now = () => performance.now()) {
    Object.assign(this, { now, words: "", tries: 0, after: 0, broke: -Infinity, waits: new Map() });
  }

  /** More than one thing failed, one after the other, and nothing came between. */
  get down() {
    return this.tries > 1;
  }

  /** How many requests may be out at once, where otherwise it were n. */
  most(n) {
    if (this.now() < this.after) return 0;
    return this.tries ? 1 : n;
  }

  /** May `what` be asked for, as far as its own failures go? */
  may(what) {
    return !(this.waits.get(what)?.after > this.now());
  }

  /** How often `what` has failed, one time after the other. */
  tried(what) {
    return this.waits.get(what)?.tries ?? 0;
  }

  /** `what`, asked for at `began`, failed and may come yet. words: why. */
  failed(what, words, began) {
    const at = this.now(), tries = this.tried(what) + 1;
    this.waits.set(what, { tries, at, after: at + later(tries, WAIT_MS, LONGEST_WAIT_MS) });
    this.words = words;
    if (began <= this.broke) return; // one of several that were out when the line broke
    this.broke = at;
    this.tries++;
    this.after = at + later(this.tries, REST_MS, LONGEST_REST_MS);
  }

  /** `what`, asked for at `began`, was answered. */
  came(what, began) {
    this.waits.delete(what);
    if (began <= this.broke) return; // it says nothing of the line as it is now
    if (this.down) this.waits.clear(); // what failed while nothing came is no worse than the rest
    Object.assign(this, { tries: 0, after: 0, words: "" });
  }

  /** Somebody waits for `what`. */
  hurry(what) {
    const wait = this.waits.get(what);
    if (wait) wait.after = Math.min(wait.after, wait.at + SOON_MS);
    this.after = Math.min(this.after, this.broke + SOON_MS);
  }

  /** It is said to work again. */
  open() {
    this.waits.clear();
    Object.assign(this, { tries: 0, after: this.broke + SOON_MS, words: "" });
  }

  /** Milliseconds until more may be asked for than now; Infinity if nothing waits. */
  get wait() {
    const now = this.now();
    if (now < this.after) return this.after - now;
    const ends = [...this.waits.values()].map(({ after }) => after).filter((after) => after > now);
    return Math.min(...ends) - now;
  }
}
