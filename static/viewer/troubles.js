// What keeps the picture from being whole, said over it for as long as it lasts, with a way out where there is one.

export class Troubles {
  constructor(viewer) {
    this.known = new Map();
    this.place = Object.assign(document.createElement("div"), { className: "viewer-trouble", hidden: true });
    this.place.setAttribute("role", "status");
    viewer.append(this.place);
  }

  /** sentence: "" when the trouble is over. way: [what its button says, what it does]. */
  say(cause, sentence, way = null) {
    if ((this.known.get(cause)?.sentence ?? "") === sentence) return;
    if (sentence) this.known.set(cause, { sentence, way });
    else this.known.delete(cause);
    this.place.hidden = !this.known.size;
    this.place.replaceChildren(...[...this.known.values()].flatMap(({ sentence, way }) => [words(sentence), ...(way ? [button(...way)] : [])]));
  }
}

function words(textContent) {
  return Object.assign(document.createElement("p"), { textContent });
}

function button(textContent, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent });
  made.addEventListener("click", act);
  return made;
}
