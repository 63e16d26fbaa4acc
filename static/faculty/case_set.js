// The case set builder: add, move and remove findings; the form posts them in the order shown.

const list = document.getElementById("picked");
const empty = document.querySelector("[data-empty]");

function refresh() {
  empty.hidden = list.children.length > 0;
  const chosen = new Set([...list.querySelectorAll("input[name=finding]")].map((input) => input.value));
  for (const button of document.querySelectorAll("[data-pick]")) {
    button.disabled = chosen.has(button.dataset.pick);
    button.textContent = button.disabled ? "Added" : "Add";
  }
}

function control(text, label, data) {
  const button = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: text });
  button.setAttribute("aria-label", label);
  Object.assign(button.dataset, data);
  return button;
}

function add({ pick, code, sentence }) {
  const item = document.createElement("li");
  const input = Object.assign(document.createElement("input"), { type: "hidden", name: "finding", value: pick });
  const chip = Object.assign(document.createElement("span"), { className: "code-chip", textContent: code });
  const words = Object.assign(document.createElement("span"), { className: "grow", textContent: sentence });
  item.append(input, chip, words, control("↑", "Earlier", { move: -1 }), control("↓", "Later", { move: 1 }), control("×", "Remove", { remove: "" }));
  list.append(item);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const item = button.closest("#picked li");
  if (button.dataset.pick) add(button.dataset);
  else if (item && "remove" in button.dataset) item.remove();
  else if (item && button.dataset.move === "-1") item.previousElementSibling?.before(item);
  else if (item && button.dataset.move === "1") item.nextElementSibling?.after(item);
  else return;
  refresh();
  if (item?.isConnected) button.focus();
});
document.body.addEventListener("htmx:afterSwap", refresh);
refresh();
