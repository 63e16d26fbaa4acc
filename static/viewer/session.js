// Who is signed in: the CSRF token of this page, and signing in again in place when the session has ended.

let token = null;
let renewing = null;
const me = () => document.getElementById("panel")?.dataset.user ?? "";

/** The person did not sign in again; what was to be sent was not. */
export class SignedOut extends Error {}

/** The token that goes with every request that changes something. */
export function csrf() {
  token ??= document.querySelector("input[name=csrfmiddlewaretoken]")?.value ?? "";
  return token;
}

/**
 * fetch, with the token. Where the session turns out to have ended it is renewed and the request is sent again; ask:
 * whether the person may be asked to sign in for that. Throws SignedOut, or fetch's own errors.
 */
export async function send(url, options, { ask }) {
  const go = () =>
    fetch(url, { credentials: "same-origin", ...options, headers: { ...options.headers, "X-CSRFToken": csrf() } });
  const response = await go();
  if (!hasEnded(response)) return response;
  await renew({ ask });
  return go();
}

/** 401 and 403 of the API, or a page's way to the sign-in page. */
function hasEnded(response) {
  return response.status === 401 || response.status === 403 || (response.redirected && response.url.includes("/accounts/"));
}

/** A working session of the same person: found (signed in again in another tab) or made, in a dialog. */
export async function renew({ ask }) {
  const found = await load(location.pathname);
  if (isMine(found)) return adopt(found);
  if (!ask) throw new SignedOut("You are signed out.");
  renewing ??= askToSignIn(found).finally(() => (renewing = null));
  return renewing;
}

async function load(url, options = {}) {
  const response = await fetch(url, { credentials: "same-origin", cache: "no-store", ...options });
  return { status: response.status, page: new DOMParser().parseFromString(await response.text(), "text/html") };
}

function isMine({ page }) {
  const panel = page.getElementById("panel");
  return Boolean(panel) && panel.dataset.user === me();
}

/** Take the new token from a page, into every form of this one. */
function adopt({ page }) {
  token = page.querySelector("input[name=csrfmiddlewaretoken]").value;
  for (const input of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) input.value = token;
  document.body.setAttribute("hx-headers", JSON.stringify({ "X-CSRFToken": token }));
  document.dispatchEvent(new CustomEvent("session:renewed"));
}

/** The site's own sign-in form, whatever it asks for, in a dialog; it may take several steps (codes). */
function askToSignIn(found) {
  const dialog = document.createElement("dialog");
  dialog.className = "sign-in";
  dialog.setAttribute("aria-labelledby", "sign-in-title");
  dialog.innerHTML =
    '<h2 id="sign-in-title">Sign in to go on</h2><p class="dim">Your session has ended. Your paint is safe in this page.</p>' +
    '<div class="stack"></div><form method="dialog"><button class="quiet">Later</button></form>';
  const place = dialog.querySelector("div");
  document.body.append(dialog);
  return new Promise((resolve, reject) => {
    const show = (got) => {
      if (isMine(got)) {
        adopt(got);
        resolve();
        return dialog.close();
      }
      const form = got.page.querySelector("main form[method=post]");
      if (!form || got.page.body.matches(".room")) return say(place, got.status);
      place.replaceChildren(document.importNode(form, true));
      const shown = place.firstElementChild;
      (shown.elements.next ?? shown.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "next" }))).value =
        location.pathname;
      shown.querySelectorAll("a").forEach((link) => (link.target = "_blank"));
      shown.addEventListener("submit", (event) => {
        event.preventDefault();
        const body = new FormData(shown, event.submitter);
        const action = shown.getAttribute("action") || "/accounts/login/";
        load(action, { method: "POST", body }).then(show, () => say(place, 0));
      });
      shown.querySelector("input:not([type=hidden])")?.focus();
    };
    dialog.addEventListener("close", () => {
      dialog.remove();
      reject(new SignedOut("You are signed out."));
    });
    dialog.showModal();
    show(found);
  });
}

function say(place, status) {
  const words = {
    0: "There is no connection. Try again in a moment.",
    404: "Somebody else is signed in here now. Sign out in another tab, then try again as yourself.",
    429: "That was a little fast. Wait a minute, then try again.",
  };
  place.querySelector("[role=alert]")?.remove();
  const note = Object.assign(document.createElement("p"), { className: "note" });
  note.setAttribute("role", "alert");
  note.textContent = words[status] ?? "Signing in did not work. Sign in in another tab, then come back.";
  place.prepend(note);
}
