// What models mark, and the page: pictures of hints as they are taken, the model's mask after the answer, its answers to
// questions, and the buttons and the key that show and hide them.

import { HintCanvas } from "./hint_canvas.js";

const ANSWER = [45, 212, 191];

const viewer = document.querySelector("ct-viewer");
const canvas = new HintCanvas(viewer);
let taken = 0; // rungs with a picture, when one was last drawn

// -- what is shown --------------------------------------------------------------------------------------------------

async function json(address) {
  const response = await fetch(address, { credentials: "same-origin", headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

/** Draw the latest rung that has a picture; nothing is asked for before one was taken. */
async function drawTaken() {
  const ladder = document.getElementById("hints");
  const now = ladder?.querySelectorAll("[data-picture]").length ?? 0;
  if (!now || now === taken) return;
  const shown = (await json(ladder.dataset.pictures)).filter((hint) => hint.heat || hint.outline).pop();
  taken = now;
  await viewer.ready;
  if (shown?.heat) canvas.putHeat("opinion", shown.heat);
  else if (shown) canvas.putOutline("opinion", shown.outline);
}

/** After submission: the model's mask beside the truth and the paint. */
async function drawModel() {
  canvas.remove("opinion");
  if (!modelButton()) return;
  const { model } = await json(viewer.getAttribute("truth"));
  if (!model) return;
  viewer.layers = { hint: model };
  canvas.putOutline("model", model);
}

const quietly = (step) => step().catch((error) => console.warn("the model's picture is not there:", error.message));

const modelButton = () => document.querySelector("[data-model] [data-action=toggle-model]");

/** The model's mask, which the viewer draws, too, side by side. */
function toggleModel() {
  const on = (viewer.show.hint = canvas.toggle("model"));
  viewer.redraw();
  modelButton()?.setAttribute("aria-pressed", String(on));
}

// One answer at a time: that of the question whose button is pressed.
let answered = "";

function sayAnswered() {
  const buttons = [...document.querySelectorAll("[data-action=show-answer]")];
  for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.answer === answered));
  if (answered && !buttons.some((one) => one.dataset.answer === answered)) hideAnswer();
}

function hideAnswer() {
  answered = "";
  canvas.remove("answer");
  sayAnswered();
}

async function showAnswer({ answer, k }) {
  answered = answer;
  sayAnswered();
  try {
    const { outline } = await json(answer);
    if (answered !== answer) return; // another was asked for meanwhile
    canvas.putOutline("answer", outline, ANSWER);
    viewer.reveal(middleOf(outline, Number(k)));
  } catch {
    if (answered !== answer) return;
    hideAnswer();
    viewer.say("What the model marks could not be loaded. Try again in a moment.");
  }
}

/** The middle one of the voxels that a mask in wire form has in a slice. */
function middleOf({ runs, size }, k) {
  const flat = runs[k], starts = flat.filter((_, n) => n % 2 === 0), lengths = flat.filter((_, n) => n % 2);
  let left = lengths.reduce((sum, length) => sum + length, 0) >> 1;
  const run = lengths.findIndex((length) => (left -= length) < 0), at = starts[run] + lengths[run] + left;
  return { k, j: Math.floor(at / size[2]), i: at % size[2] };
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-action]");
  if (button?.dataset.action === "toggle-model") toggleModel();
  if (button?.dataset.action !== "show-answer") return;
  if (button.dataset.answer === answered) hideAnswer();
  else showAnswer(button.dataset);
});

/** The key that shows and hides what the model marks. */
export function modelKey() {
  if (canvas.has("model")) toggleModel();
  else if (canvas.has("opinion")) viewer.say(canvas.toggle("opinion") ? "The model’s opinion is shown" : "The model’s opinion is hidden; L shows it");
}

document.body.addEventListener("htmx:afterSwap", () => {
  sayAnswered();
  quietly(drawTaken);
});
viewer.addEventListener("viewer:truth", () => {
  sayAnswered();
  quietly(drawModel);
});
quietly(drawTaken);
if (viewer.truth) quietly(drawModel);
sayAnswered();
