// Submitting: the same answer is sent until it has arrived, whatever happens to connection, server or session.

import { Autosave } from "./autosave.js";
import { CONTENT_TYPE, deflate, toVarints } from "./compact.js";
import { send, SignedOut } from "./session.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;
const GIVE_UP_MS = 60000; // of one request; a large answer is graded in seconds
let pending = null;

/** Send what the form and the viewer hold. shown(html): the feedback has come. Does nothing while one is on its way. */
export async function submit(form, viewer, telemetry, shown) {
  if (pending) return;
  const draft = Autosave.current;
  const mine = (pending = { cancelled: false, wake: () => {} });
  const button = form.querySelector("[data-action=submit]");
  const over = () => {
    pending = null;
    button.disabled = false;
    form.querySelector("[data-action=cancel-submit]").hidden = true;
  };
  button.disabled = true;
  draft?.pause();
  say(form, "");
  try {
    const body = await answerOf(form, viewer, telemetry, draft);
    const response = await untilAnswered(form, body, mine);
    const html = await response.text();
    if (response.ok) {
      draft?.stop();
      over();
      return shown(html);
    }
    over();
    refused(form, response, html, draft);
  } catch (error) {
    over();
    if (error instanceof SignedOut) say(form, "You are signed out, so your answer was not sent. Submit again to sign in.");
    else if (!mine.cancelled) say(form, error.message);
  }
  draft?.resume();
}

/** The person goes on painting instead of waiting. */
export function cancelSubmit() {
  if (!pending) return;
  pending.cancelled = true;
  pending.wake();
}

async function answerOf(form, viewer, telemetry, draft) {
  const body = new FormData(form);
  body.delete("csrfmiddlewaretoken"); // the header carries it: it may change before this arrives
  body.set("paint", new Blob([await deflate(toVarints(viewer.painted))], { type: CONTENT_TYPE }));
  if (telemetry) body.set("telemetry", JSON.stringify(telemetry));
  if (draft && draft.revision !== null) {
    body.set("revision", draft.revision);
    body.set("writer", draft.me);
  }
  return body;
}

/** Every try sends the same bytes: the server gives the same answer the same result. */
async function untilAnswered(form, body, mine) {
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(LONGEST_WAIT_MS, wait * 2)) {
    if (mine.cancelled) throw new Error("");
    try {
      const request = { method: "POST", body, headers: { "HX-Request": "true" }, signal: AbortSignal.timeout(GIVE_UP_MS) };
      const response = await send(form.action, request, { ask: true });
      if (response.status < 500 && response.status !== 429) return response;
    } catch (error) {
      if (error instanceof SignedOut) throw error;
    }
    if (mine.cancelled) throw new Error("");
    say(form, "Your answer is kept and will be sent as soon as the server can be reached.", "status");
    form.querySelector("[data-action=cancel-submit]").hidden = false;
    await new Promise((resolve) => {
      mine.wake = resolve;
      setTimeout(resolve, wait);
      window.addEventListener("online", resolve, { once: true });
    });
  }
}

function refused(form, response, html, draft) {
  const sentence = new DOMParser().parseFromString(html, "text/html").querySelector("[role=alert]")?.textContent;
  const code = response.headers.get("Sightline-Refused");
  if (code === "stale") return draft.conflict(sentence, Number(response.headers.get("Sightline-Revision")));
  say(form, sentence || "The answer was refused; reload the page, your draft is kept.");
  if (code === "submitted") document.dispatchEvent(new CustomEvent("draft:state", { detail: { state: "submitted", sentence } }));
}

function say(form, sentence, role = "alert") {
  const place = form.querySelector("[data-said]");
  place.replaceChildren();
  if (!sentence) return;
  const note = Object.assign(document.createElement("p"), { className: role === "alert" ? "note" : "note calm", textContent: sentence });
  note.setAttribute("role", role);
  place.append(note);
}
