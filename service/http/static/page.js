// Curl examples name the address this page came from; the field finds operations and types by any words.
"use strict";
for (const code of document.querySelectorAll("pre code")) {
  code.textContent = code.textContent.replaceAll("http://localhost:5000", location.origin);
}
const field = document.querySelector("input[type=search]");
const none = document.querySelector(".none");
const parts = [...document.querySelectorAll("[data-find]")];
const groups = [...document.querySelectorAll("[data-group]")];
function find() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const part of parts) {
    part.hidden = !words.every((word) => part.dataset.find.includes(word));
  }
  for (const group of groups) {
    group.hidden = !group.querySelector("[data-find]:not([hidden])");
  }
  none.style.display = parts.every((part) => part.hidden) ? "block" : "none";
}
field.addEventListener("input", find);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== field) {
    event.preventDefault();
    field.focus();
  }
});
