// The reading room as it is: put before its page loads, touches nothing.

window.bench = {
  get viewer() {
    return document.querySelector("ct-viewer");
  },
  canvas() {
    return this.viewer?.plane ? this.viewer.querySelector(".viewer-picture") : null;
  },
  get first() {
    return this.until(() => this.viewer?.ready).then(() => this.viewer.ready);
  },
  get whole() {
    return this.until(() => this.viewer?.stack?.loaded >= this.viewer?.stack?.goal);
  },
  async until(test) {
    while (!test()) await new Promise((done) => setTimeout(done, 10));
  },
  /** What an earlier run painted is in the draft: paint over paint would change no pixel. */
  startPainting() {
    this.viewer.clearSlice();
  },
};
