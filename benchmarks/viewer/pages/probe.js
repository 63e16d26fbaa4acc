// Put before every page: says when a picture is on the canvas, and how long after an input it is another one.
// Looked at is the canvas itself, 48 x 48 of its pixels, after each animation frame's callback: reading them waits for the GPU.

(() => {
  const SIDE = 48;
  const glass = new OffscreenCanvas(SIDE, SIDE).getContext("2d", { willReadFrequently: true });
  const nextFrame = window.requestAnimationFrame.bind(window);
  const told = {};
  const picture = new Promise((resolve) => (told.picture = resolve));
  let watching = null;

  /** A number for what is around a place of the page; null where there is no picture (all pixels alike). */
  function seen(place) {
    const canvas = window.bench?.canvas?.();
    if (!canvas?.width) return null;
    const box = canvas.getBoundingClientRect();
    const x = ((place?.x ?? box.left + box.width / 2) - box.left) * (canvas.width / box.width);
    const y = ((place?.y ?? box.top + box.height / 2) - box.top) * (canvas.height / box.height);
    glass.clearRect(0, 0, SIDE, SIDE);
    glass.drawImage(canvas, x - SIDE / 2, y - SIDE / 2, SIDE, SIDE, 0, 0, SIDE, SIDE);
    const words = new Uint32Array(glass.getImageData(0, 0, SIDE, SIDE).data.buffer);
    let hash = 7, alike = true;
    for (const word of words) {
      hash = (Math.imul(hash, 31) + word) | 0;
      alike &&= word === words[0];
    }
    return alike ? null : hash;
  }

  function look() {
    if (told.picture && seen() !== null) {
      told.picture(performance.now());
      told.picture = null;
    }
    if (!watching || watching.began === null) return;
    const now = seen(watching.place);
    if (now === null || now === watching.before) return;
    watching.done(performance.now() - watching.began);
    watching = null;
  }

  window.requestAnimationFrame = (callback) =>
    nextFrame((time) => {
      callback(time);
      look();
    });
  const turn = () => requestAnimationFrame(turn);
  turn();

  window.probe = {
    /** Resolves with the ms since the navigation. */
    picture,
    /** Resolves with the ms from the next input event of this type to another picture at a place, null after 5 s. */
    arm(type, place) {
      return new Promise((done) => {
        const mine = (watching = { place, before: seen(place), began: null, done });
        const began = (event) => (mine.began = event.timeStamp);
        const limit = setTimeout(() => {
          if (watching === mine) watching = null;
          done(null);
        }, 5000);
        mine.done = (ms) => {
          clearTimeout(limit);
          done(ms);
        };
        window.addEventListener(type, began, { capture: true, once: true });
      });
    },
  };
})();
