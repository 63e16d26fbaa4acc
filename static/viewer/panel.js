// The right-hand panel while asking: how the draft is, marks, confidence, "not present", the clock.

import { Autosave } from "./autosave.js";
import { countMarks } from "./marks.js";
import { renew } from "./session.js";

const MOST_MARKS = 3; // as the scorer asks for
const ARMED_MS = 3000; // c, then 1 to 4
const at = (selector) => document.querySelector(selector);

// -- how the draft is -------------------------------------------------------------------------------------------------

/** What is offered beside what is said; states that are not here are only said. */
const OFFERS = {
  conflict: [["keep-mine", "Use this tab’s paint"], ["take-theirs", "Take the other’s"]],
  leftover: [["use-leftover", "Use it"], ["drop-leftover", "Keep what was saved"]],
  "signed-out": [["sign-in", "Sign in"]],
  submitted: [["reload", "Show the result"]],
  elsewhere: [["hush", "All right"], ["reload", "Reload"]],
  refused: [],
  offline: [],
  silent: [],
  failing: [],
  busy: [],
};

const CHOICES = {
  "keep-mine": () => Autosave.current.keepMine(),
  "take-theirs": () => Autosave.current.takeTheirs(),
  "use-leftover": () => Autosave.current.useLeftover(),
  "drop-leftover": () => Autosave.current.dropLeftover(),
  "sign-in": () => renew({ ask: true }).catch(() => {}),
  reload: () => location.reload(),
  hush: () => {},
};

document.addEventListener("draft:state", ({ detail: { state, sentence } }) => {
  const place = at("[data-draft-notice]");
  if (!place) return;
  place.replaceChildren();
  document.body.dataset.draft = state;
  const offers = OFFERS[state];
  if (!offers) return;
  const note = document.createElement("div");
  note.className = ["conflict", "leftover", "refused"].includes(state) ? "note" : "note calm";
  note.append(Object.assign(document.createElement("p"), { textContent: sentence }));
  for (const [choice, words] of offers) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    button.dataset.choice = choice;
    button.addEventListener("click", () => {
      if (state !== "signed-out") place.replaceChildren();
      CHOICES[choice]();
    });
    note.append(button);
  }
  place.append(note);
});

// -- marks, in locate mode ----------------------------------------------------------------------------------------------

export function sayMarks(viewer) {
  const place = at("[data-marks]");
  if (!place || !viewer.plane) return;
  const locating = at("#task")?.dataset.mode === "locate";
  const marks = locating ? countMarks(viewer.painted) : 0;
  const many = marks === null || marks > MOST_MARKS;
  place.textContent = marks === null ? "more marks than can be counted" : marks === 1 ? "1 mark" : marks ? `${marks} marks` : "";
  place.classList.toggle("too-many", many);
  at("[data-marks-note]").textContent = many ? `That is more than ${MOST_MARKS}: erase all but the ${MOST_MARKS} you are surest of.` : "";
}

// -- confidence and "not present" by keys ---------------------------------------------------------------------------------

let armed = 0;

/** True if the key was meant for the panel: c and then 1 to 4, or x. */
export function panelKey(key) {
  const form = at("#answer");
  if (!form) return false;
  if (key === "c") {
    armed = Date.now();
    form.querySelector(".confidence").classList.add("armed");
    setTimeout(() => Date.now() - armed >= ARMED_MS && disarm(), ARMED_MS);
    return true;
  }
  if (armed && Date.now() - armed < ARMED_MS && "1234".includes(key)) {
    disarm();
    form.querySelector(`input[name=confidence][value="${key}"]`).checked = true;
    return true;
  }
  disarm();
  if (key !== "x") return false;
  form.elements.absent.click();
  return true;
}

function disarm() {
  armed = 0;
  at(".confidence.armed")?.classList.remove("armed");
}

// -- the clock ------------------------------------------------------------------------------------------------------------

const HIDDEN = "sightline:clock";

/** Show ms() as minutes and seconds, unless it is put away; that is remembered. */
export function startClock(ms) {
  const button = at("[data-clock]");
  if (!button) return;
  let hidden = false;
  try {
    hidden = localStorage.getItem(HIDDEN) === "hidden";
  } catch {
    // Shown, then.
  }
  const show = () => {
    if (!button.isConnected) return clearInterval(ticking);
    const seconds = Math.floor(ms() / 1000);
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    button.textContent = hidden ? "Show time" : time;
    button.setAttribute("aria-label", hidden ? "Show the time spent" : `Time spent ${time}; hide it`);
  };
  button.addEventListener("click", () => {
    hidden = !hidden;
    try {
      localStorage.setItem(HIDDEN, hidden ? "hidden" : "shown");
    } catch {
      // Not remembered, then.
    }
    show();
  });
  const ticking = setInterval(show, 500);
  show();
}
