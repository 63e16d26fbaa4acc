// The reading room's page glue: keys of question and answer, and the swap from asking to feedback.

import "./viewer.js";
import { cancelSubmit, submit } from "./answer.js";
import { crosshairKey, keyOf, tool, viewerKey } from "./controls.js";
import { modelKey } from "./hints.js";
import { panelKey, sayMarks, startClock } from "./panel.js";
import { renew } from "./session.js";
import { Looks } from "./telemetry.js";
import { toolbarKey } from "./toolbar.js";

const viewer = document.querySelector("ct-viewer");
const press = (action) => document.querySelector(`[data-action="${action}"]`)?.click();

document.addEventListener("click", (event) => {
  if (event.target.closest('[data-action="cancel-submit"]')) cancelSubmit();
});

// A choice made with the mouse gives the keys back to the picture: arrows would otherwise choose on.
document.addEventListener("click", (event) => {
  const chosen = event.detail && event.target.closest("label")?.control;
  if (chosen && ["radio", "checkbox"].includes(chosen.type)) setTimeout(() => viewer.focus({ preventScroll: true }));
});

// -- keys -----------------------------------------------------------------------------------------------------------

// Keys that are down. Submitting and going on need a new press: a key that is held would carry an answer past its feedback.
const down = new Set();
// Another window hears the keys go up.
window.addEventListener("blur", () => {
  down.clear();
  viewer.spaceHeld = false;
  viewer.keyboard.release();
});

/** Fields that take letters; a slider and a choice take only keys to move with. */
const typesIn = (one) => one.closest("input:not([type=radio], [type=checkbox], [type=range]), textarea, select");
const moves = (control, key) =>
  (control?.type === "radio" && key.startsWith("Arrow")) || (control?.type === "range" && /^(Arrow|Page|Home|End)/.test(key));

document.addEventListener("keydown", (event) => {
  const anew = !event.repeat && !down.has(event.key);
  down.add(event.key);
  if (!viewer.plane || document.querySelector("dialog[open]")) return;
  const key = keyOf(event);
  const control = event.target.closest("button, a, summary, input, select, textarea");
  if (typesIn(event.target) || moves(control, key) || toolbarKey(event)) return;
  if (!control && crosshairKey(event)) return;
  if ((event.ctrlKey || event.metaKey) && key === "z") {
    event.preventDefault();
    return event.shiftKey ? viewer.redo() : viewer.undo();
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (key === "Enter" && !control) return anew && press(viewer.editable ? "submit" : "next");
  if (key === " " && !control) {
    event.preventDefault();
    if (!viewer.editable) return anew && press("next");
    viewer.spaceHeld = true;
    return;
  }
  if (viewer.editable && panelKey(key)) return event.preventDefault();
  if (key === "h") return press("hint");
  if (key === "l") return anew && modelKey();
  viewerKey(event);
});
document.addEventListener("keyup", (event) => {
  down.delete(event.key);
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
  // What the page asks by itself, again and again, does not put a dialog before a person's eyes.
  renew({ ask: Boolean(requestConfig.triggeringEvent) }).then(() => requestConfig.elt.requestSubmit?.(), () => {});
});

// The next finding is asked for once, however often it is pressed while its page comes; a page gone back to may ask again.
let leaving = false;
window.addEventListener("pageshow", () => (leaving = false));

document.addEventListener("submit", (event) => {
  if (event.target.querySelector("[data-action=next]")) {
    if (leaving) event.preventDefault();
    leaving = true;
  }
  if (event.target.id !== "answer") return;
  event.preventDefault();
  submit(event.target, viewer, looks?.log(), showResult);
});

// -- from asking to feedback ------------------------------------------------------------------------------------------

function showResult(html) {
  viewer.strokeFails(); // the answer is what was sent
  looks?.stop();
  panel.innerHTML = html;
  window.htmx?.process(panel);
  panel.scrollTop = 0;
  document.body.dataset.state = "submitted";
  tool("pan");
  viewer.focus({ preventScroll: true });
  viewer.whisper(resultInWords());
  Promise.resolve(viewer.showFeedback?.())
    .then(compare)
    .catch((error) => {
      viewer.problem = error.message;
      viewer.redraw();
    });
}

/** For those who hear the page: verdict, grade and what is said about it. */
function resultInWords() {
  const words = (selector) => [...panel.querySelectorAll(`.result ${selector}`)].map((one) => one.textContent.trim());
  const [grade] = words(".grade");
  return [...words(".verdict").map((verdict) => `${verdict}.`), grade ? `Grade ${grade} of 100.` : "", ...words(".sentences li")].filter(Boolean).join(" ");
}

/** Overlay, difference or side by side, where the viewer can. */
function compare() {
  const choice = document.querySelector("[data-compare]");
  if (!choice || !("compare" in viewer)) return;
  choice.hidden = false;
  choice.addEventListener("change", (event) => (viewer.compare = event.target.value));
}
