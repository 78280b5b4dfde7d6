// Rows that can be dragged to another place: their keys are posted in the new order. Without this file the buttons
// beside each row do the same, and they stay for the keyboard.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  for (const body of document.querySelectorAll("[data-ordering]")) {
    const rows = () => [...body.querySelectorAll("[data-key]")];
    const keys = () => rows().map((row) => row.dataset.key).join(",");
    let dragged = null;
    let before = "";

    body.addEventListener("dragstart", (event) => {
      dragged = event.target.closest("[data-key]");
      if (!dragged) return;
      before = keys();
      event.dataTransfer.effectAllowed = "move";
      event.dataTransfer.setData("text/plain", dragged.dataset.key);
      dragged.classList.add("ca-dragged");
    });
    body.addEventListener("dragover", (event) => {
      const over = event.target.closest("[data-key]");
      if (!dragged) return;
      event.preventDefault();
      if (!over || over === dragged) return;
      const middle = over.getBoundingClientRect().top + over.offsetHeight / 2;
      over[event.clientY < middle ? "before" : "after"](dragged);
    });
    body.addEventListener("drop", (event) => event.preventDefault());
    body.addEventListener("dragend", () => {
      if (!dragged) return;
      dragged.classList.remove("ca-dragged");
      dragged = null;
      if (keys() === before) return;
      const form = body.closest("form");
      const order = form.elements[body.dataset.ordering];
      order.disabled = false;
      order.value = keys();
      form.submit();
    });
  }
});
