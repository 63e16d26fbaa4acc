// Bytes from the server, whole, or an Error in plain words that says whether asking again is of any use.

const STALLED_MS = 15000; // without a byte; a slow line that brings some may take as long as it needs
export const SIGNED_OUT = "You are signed out.";
const WORDS = { 401: SIGNED_OUT, 403: SIGNED_OUT, 404: "It is not there any more; reload the page.", 429: "The server is asked too often just now." };
const SPOKEN = ["damaged", "replaced"]; // codes whose sentence is meant for people

/** All bytes of an address. type: what it must be; a network that wants a sign-in answers everything with a page. */
export async function fetchBytes(url, signal, type) {
  const own = new AbortController(), stop = () => own.abort();
  let timer, stalled = false;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stalled = true;
      stop();
    }, STALLED_MS);
  };
  const lost = () => {
    throw new Error(stalled ? "The connection to the server has stalled." : "There is no connection to the server.");
  };
  signal?.addEventListener("abort", stop);
  alive();
  try {
    const response = await fetch(url, { signal: own.signal, credentials: "same-origin" }).catch(lost);
    if (!response.ok) throw await refusal(response);
    if (!response.headers.get("Content-Type")?.startsWith(type)) {
      throw new Error("Something else came instead. Does this network ask you to sign in?");
    }
    return await read(response.body, alive).catch(lost);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
  }
}

/** Only what is not there, and what the server itself calls damaged, will not come however often it is asked for. */
async function refusal(response) {
  const { detail, code } = await response.json().catch(() => ({}));
  const spoken = SPOKEN.includes(code);
  const words = spoken ? detail : WORDS[response.status] ?? "The server is not answering just now.";
  return Object.assign(new Error(words), { final: spoken || response.status === 404 });
}

/** All bytes of a stream; alive() is called with each piece. */
async function read(stream, alive) {
  const pieces = [], reader = stream.getReader();
  let length = 0;
  for (let piece; !(piece = await reader.read()).done; length += piece.value.length) {
    alive();
    pieces.push(piece.value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
