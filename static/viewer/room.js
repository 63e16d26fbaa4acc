// The reading room's page glue: keys of question and answer, and the swap from asking to feedback.

import "./viewer.js";
import { crosshairKey, tool, viewerKey } from "./controls.js";

const viewer = document.querySelector("ct-viewer");
const button = (action) => document.querySelector(`[data-action="${action}"]`);
const press = (action) => button(action)?.click();

// -- keys -----------------------------------------------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  if (!viewer.plane || document.querySelector("dialog[open]")) return;
  const typing = event.target.closest("input:not([type=radio]):not([type=checkbox]), textarea, select");
  const control = event.target.closest("button, a, summary, input, select, textarea");
  if (typing) return;
  if (!control && crosshairKey(event)) return;
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
  // Arrow keys move between radio buttons when one of them has the focus.
  if (control?.type === "radio" && event.key.startsWith("Arrow")) return;
  if (event.key === "h") return press("hint");
  viewerKey(event);
});
document.addEventListener("keyup", (event) => {
  if (event.key === " ") viewer.spaceHeld = false;
});

// -- from asking to feedback ------------------------------------------------------------------------------------------

document.body.addEventListener("htmx:afterSwap", (event) => {
  if (!event.target.querySelector?.("[data-feedback]") && !event.target.matches?.("[data-feedback]")) return;
  document.body.dataset.state = "submitted";
  tool("pan");
  viewer.focus({ preventScroll: true });
  viewer.showFeedback().catch((error) => {
    viewer.problem = error.message;
    viewer.redraw();
  });
});

// "Not present" and paint exclude each other: say so before the server has to.
document.addEventListener("viewer:paint", () => {
  const absent = document.querySelector("input[name=absent]");
  if (absent && viewer.mask.count) absent.checked = false;
});

viewer.ready.then(() => {
  if (!viewer.editable) tool("pan");
  viewer.focus({ preventScroll: true });
});
