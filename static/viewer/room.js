// The reading room's page glue: buttons and keys to the viewer's methods, and the swap from asking to feedback.

import { cancelSubmit, submit } from "./answer.js";
import { panelKey, sayMarks, startClock } from "./panel.js";
import { renew } from "./session.js";
import { Looks } from "./telemetry.js";
import "./viewer.js";

const viewer = document.querySelector("ct-viewer");
const button = (action) => document.querySelector(`[data-action="${action}"]`);
const press = (action) => button(action)?.click();

const ACTIONS = {
  brush: () => tool("brush"),
  eraser: () => tool("eraser"),
  pan: () => tool("pan"),
  window: () => tool("window"),
  undo: () => viewer.undo(),
  redo: () => viewer.redo(),
  "clear-slice": () => viewer.clearSlice(),
  "size-up": () => viewer.resizeBrush(1),
  "size-down": () => viewer.resizeBrush(-1),
  "zoom-in": () => viewer.zoomBy(1.25),
  "zoom-out": () => viewer.zoomBy(0.8),
  fit: () => viewer.fit(),
  "prev-slice": () => viewer.step(1),
  "next-slice": () => viewer.step(-1),
  "view-axial": () => show("axial"),
  "view-coronal": () => show("coronal"),
  "view-sagittal": () => show("sagittal"),
  preset: (target) => viewer.preset(Number(target.dataset.preset)),
  "toggle-paint": (target) => target.setAttribute("aria-pressed", String(viewer.toggle("painted"))),
  "toggle-truth": (target) => target.setAttribute("aria-pressed", String(viewer.toggle("truth"))),
  "toggle-fill": (target) => target.setAttribute("aria-pressed", String(viewer.toggle("fill"))),
  "jump-next": () => viewer.nextStop(),
  jump: (target) => viewer.moveTo({ k: Number(target.dataset.k), j: Number(target.dataset.j), i: Number(target.dataset.i) }),
  help: () => document.getElementById("keys")?.showModal(),
  "cancel-submit": cancelSubmit,
};

function tool(name) {
  viewer.setTool(name);
  for (const other of ["brush", "eraser", "pan", "window"]) button(other)?.setAttribute("aria-pressed", String(other === name));
}

function show(view) {
  viewer.view = view;
  for (const other of ["axial", "coronal", "sagittal"]) button(`view-${other}`)?.setAttribute("aria-pressed", String(other === view));
}

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-action]");
  const action = target && ACTIONS[target.dataset.action];
  if (!action || !viewer.plane) return;
  action(target);
  if (target.tagName === "BUTTON" && target.type === "button") viewer.focus({ preventScroll: true });
});

// -- keys -----------------------------------------------------------------------------------------------------------

const KEYS = {
  ArrowUp: () => viewer.step(1),
  ArrowDown: () => viewer.step(-1),
  PageUp: () => viewer.step(5),
  PageDown: () => viewer.step(-5),
  Home: () => viewer.step(viewer.plane.depth),
  End: () => viewer.step(-viewer.plane.depth),
  "[": () => viewer.resizeBrush(-1),
  "]": () => viewer.resizeBrush(1),
  b: () => press("brush"),
  e: () => press("eraser"),
  w: () => press("window"),
  g: () => press("pan"),
  z: () => viewer.undo(),
  Z: () => viewer.redo(),
  "+": () => viewer.zoomBy(1.25),
  "=": () => viewer.zoomBy(1.25),
  "-": () => viewer.zoomBy(0.8),
  0: () => viewer.fit(),
  1: () => viewer.preset(0),
  2: () => viewer.preset(1),
  3: () => viewer.preset(2),
  4: () => viewer.preset(3),
  f: () => viewer.moveTo({ k: viewer.largestPainted() ?? viewer.k }),
  h: () => press("hint"),
  n: () => viewer.nextStop(),
  t: () => press("toggle-truth"),
  p: () => press("toggle-paint"),
  o: () => press("toggle-fill"),
  "?": () => press("help"),
};

document.addEventListener("keydown", (event) => {
  if (!viewer.plane || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select");
  const control = event.target.closest("button, a, summary, input, select, textarea");
  if (typing) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    return event.shiftKey ? viewer.redo() : viewer.undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter" && !control) return viewer.editable ? press("submit") : press("next");
  if (event.key === " " && !control) {
    event.preventDefault();
    if (!viewer.editable && !event.repeat) return press("next");
    viewer.spaceHeld = true;
    return;
  }
  if (viewer.editable && panelKey(event.key)) return event.preventDefault();
  // Arrow keys move between radio buttons when one of them has the focus.
  const key = KEYS[event.key];
  if (!key || (control?.type === "radio" && event.key.startsWith("Arrow"))) return;
  event.preventDefault();
  if (event.shiftKey && event.key.startsWith("Arrow")) viewer.step(event.key === "ArrowUp" ? 5 : -5);
  else key();
});
document.addEventListener("keyup", (event) => {
  if (event.key === " ") viewer.spaceHeld = false;
});

// -- asking ---------------------------------------------------------------------------------------------------------

const panel = document.getElementById("panel");
let looks = null;

viewer.ready.then(() => {
  if (!viewer.editable) {
    tool("pan");
    compare();
  } else if ("records" in panel.dataset) {
    looks = new Looks(viewer, { first: "first" in panel.dataset, key: `sightline:looks:${panel.dataset.user}:${panel.dataset.attempt}` });
  }
  sayMarks(viewer);
  viewer.focus({ preventScroll: true });
});

const opened = performance.now();
startClock(() => looks?.ms ?? performance.now() - opened);

// "Not present" and paint exclude each other: say so before the server has to.
document.addEventListener("viewer:paint", () => {
  const absent = document.querySelector("input[name=absent]");
  if (absent?.checked && Object.keys(viewer.painted.runs).length) absent.checked = false;
  sayMarks(viewer);
});

// Another mode was chosen: marks are counted in locate mode only.
document.body.addEventListener("htmx:afterSwap", () => sayMarks(viewer));

// What htmx asks for comes back as the sign-in page once the session has ended: sign in, then ask again.
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  if (xhr.status !== 403 && !xhr.responseURL.includes("/accounts/")) return;
  event.detail.shouldSwap = false;
  renew({ ask: true }).then(() => requestConfig.elt.requestSubmit?.(), () => {});
});

document.addEventListener("submit", (event) => {
  if (event.target.id !== "answer") return;
  event.preventDefault();
  submit(event.target, viewer, looks?.log(), showResult);
});

// -- from asking to feedback ------------------------------------------------------------------------------------------

function showResult(html) {
  looks?.stop();
  panel.innerHTML = html;
  window.htmx?.process(panel);
  panel.scrollTop = 0;
  document.body.dataset.state = "submitted";
  tool("pan");
  viewer.focus({ preventScroll: true });
  Promise.resolve(viewer.showFeedback?.())
    .then(compare)
    .catch((error) => {
      viewer.problem = error.message;
      viewer.redraw();
    });
}

/** Overlay, difference or side by side, where the viewer can. */
function compare() {
  const choice = document.querySelector("[data-compare]");
  if (!choice || !("compare" in viewer)) return;
  choice.hidden = false;
  choice.addEventListener("change", (event) => (viewer.compare = event.target.value));
}
