// Submitting: the same answer is sent until it has arrived, whatever happens to connection, server or session. Until
// then the picture takes no paint, which would not be part of it; the person may go on painting instead.

import { Autosave } from "./autosave.js";
import { CONTENT_TYPE, deflate, toVarints } from "./compact.js";
import { send, SignedOut } from "./session.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 15000;
const GIVE_UP_MS = 60000; // of one request; a large answer is graded in seconds
const HELD = "Your answer is on its way, so nothing is painted now. “Go on painting” takes it back.";
let pending = null;

/** The person goes on painting. */
class TakenBack extends Error {}

/** Send what the form and the viewer hold. shown(html): the feedback has come. Does nothing while one is on its way. */
export async function submit(form, viewer, telemetry, shown) {
  if (pending) return;
  viewer.strokeEnds(); // what is in hand belongs to the answer
  const draft = Autosave.current;
  const mine = (pending = takenBack());
  const over = () => {
    pending = null;
    lock(form, false);
    if (viewer.held === HELD) viewer.held = "";
    form.querySelector("[data-action=cancel-submit]").hidden = true;
    say(form, "");
    window.removeEventListener("beforeunload", askFirst);
  };
  viewer.held = HELD;
  draft?.pause();
  say(form, "");
  try {
    const answer = answerOf(form, viewer, telemetry, draft);
    lock(form, true);
    window.addEventListener("beforeunload", askFirst);
    const { response, html } = await untilAnswered(form, await answer, mine);
    if (response.ok) {
      draft?.stop();
      over();
      return shown(html);
    }
    over();
    refused(form, viewer, response, html, draft);
  } catch (error) {
    over();
    if (error instanceof SignedOut) say(form, "You are signed out, so your answer was not sent. Submit again to sign in.");
    else if (!(error instanceof TakenBack)) say(form, error.message);
    else if (draft) draft.dirty = true; // it may have arrived all the same: the server is asked
  }
  draft?.resume();
}

/** The person goes on painting instead of waiting. */
export function cancelSubmit() {
  pending?.takeBack();
}

/** promise: fails as soon as takeBack() is called. signal: for what is on its way then. */
function takenBack() {
  const stopper = new AbortController(), made = { signal: stopper.signal };
  made.promise = new Promise((_, fail) => {
    made.takeBack = () => {
      fail(new TakenBack());
      stopper.abort();
    };
  });
  made.promise.catch(() => {});
  return made;
}

/** What is chosen while an answer is on its way would not go with it. */
function lock(form, on) {
  for (const control of form.elements) if (control.dataset.action !== "cancel-submit") control.disabled = on;
}

/** An answer that has not arrived is lost with its page. */
function askFirst(event) {
  event.preventDefault();
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
  const wait = (words) => {
    say(form, words, "status");
    form.querySelector("[data-action=cancel-submit]").hidden = false;
  };
  const slow = setTimeout(() => wait("Your answer is on its way."), FIRST_WAIT_MS);
  try {
    for (let pause = FIRST_WAIT_MS; ; pause = Math.min(LONGEST_WAIT_MS, pause * 2)) {
      try {
        const { response, html } = await Promise.race([once(form, body, mine), mine.promise]), { ok, status } = response;
        if (ok && !html.includes("data-feedback")) throw new Error("not our server"); // a portal that answers for the network
        if (status < 500 && status !== 429) return { response, html };
        wait("The server cannot take your answer just now. It is kept and will be sent again; leave this page open.");
      } catch (error) {
        if (error instanceof SignedOut || error instanceof TakenBack) throw error;
        wait("Your answer is kept and will be sent as soon as the server can be reached; leave this page open.");
      }
      clearTimeout(slow);
      const again = new Promise((resolve) => {
        setTimeout(resolve, pause);
        window.addEventListener("online", resolve, { once: true });
      });
      await Promise.race([again, mine.promise]);
    }
  } finally {
    clearTimeout(slow);
  }
}

async function once(form, body, { signal }) {
  const stopper = new AbortController(), stop = () => stopper.abort();
  signal.addEventListener("abort", stop);
  const late = setTimeout(stop, GIVE_UP_MS);
  try {
    const request = { method: "POST", body, headers: { "HX-Request": "true" }, signal: stopper.signal };
    const response = await send(form.action, request, { ask: true });
    return { response, html: await response.text() };
  } finally {
    clearTimeout(late);
  }
}

function refused(form, viewer, response, html, draft) {
  const sentence = new DOMParser().parseFromString(html, "text/html").querySelector("[role=alert]")?.textContent;
  const code = response.headers.get("Sightline-Refused");
  if (code === "stale") return draft.conflict(sentence, Number(response.headers.get("Sightline-Revision")));
  say(form, sentence || "The answer was refused; reload the page, your draft is kept.");
  if (code !== "submitted") return;
  viewer.held = sentence;
  document.dispatchEvent(new CustomEvent("draft:state", { detail: { state: "submitted", sentence } }));
}

function say(form, sentence, role = "alert") {
  const place = form.querySelector("[data-said]");
  place.replaceChildren();
  if (!sentence) return;
  const note = Object.assign(document.createElement("p"), { className: role === "alert" ? "note" : "note calm", textContent: sentence });
  note.setAttribute("role", role);
  place.append(note);
}
