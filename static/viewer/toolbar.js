// Toolbars as ARIA describes them: each is one stop of the Tab key, and arrows go from button to button inside it.

const STEPS = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };

const buttonsOf = (toolbar) => [...toolbar.querySelectorAll("button")];
const shownOf = (toolbar) => buttonsOf(toolbar).filter((one) => one.checkVisibility());

/** Make a button the stop; without one the stop stays, unless it has gone from the screen. */
function settle(toolbar, button = null) {
  const shown = shownOf(toolbar);
  const stop = button ?? shown.find((one) => one.tabIndex === 0) ?? shown[0];
  for (const one of buttonsOf(toolbar)) one.tabIndex = one === stop ? 0 : -1;
}

/** Set the page's toolbars up. Returns what is to be called when buttons have come or gone. */
export function rove() {
  const toolbars = [...document.querySelectorAll("[role=toolbar]")];
  for (const toolbar of toolbars) {
    buttonsOf(toolbar).slice(1).forEach((one) => (one.tabIndex = -1));
    toolbar.addEventListener("focusin", (event) => settle(toolbar, event.target.closest("button")));
  }
  const all = () => toolbars.forEach((toolbar) => settle(toolbar));
  all();
  return all;
}

/** Keys that go through a toolbar. True if this was one. */
export function toolbarKey(event) {
  const toolbar = event.target.closest("[role=toolbar]");
  if (!toolbar || event.ctrlKey || event.metaKey || event.altKey) return false; // those are the browser's
  const shown = shownOf(toolbar), at = shown.indexOf(event.target.closest("button"));
  const to = event.key === "Home" ? 0 : event.key === "End" ? shown.length - 1 : at + STEPS[event.key];
  if (at < 0 || Number.isNaN(to)) return false;
  event.preventDefault();
  shown[(to + shown.length) % shown.length].focus();
  return true;
}
