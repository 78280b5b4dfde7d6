// Puts the place of a value that is clicked on into the box that was used last, and goes on to the next empty one.
// Without this file the boxes propose the same places while somebody types.

/** Has each `[data-place]` of the root fill the `[data-takes-place]` that had the focus last. */
export function takePlaces(root) {
  const boxes = [...root.querySelectorAll("[data-takes-place]")];
  let last = null;
  root.addEventListener("focusin", (event) => {
    if (boxes.includes(event.target)) last = event.target;
  });
  root.addEventListener("click", (event) => {
    const place = event.target.closest("[data-place]");
    const box = last || boxes.find((other) => !other.value);
    if (!place || !box) return;
    box.value = place.dataset.place;
    box.dispatchEvent(new Event("input", { bubbles: true }));
    const next = boxes.slice(boxes.indexOf(box) + 1).find((other) => !other.value);
    (next || box).focus();
  });
}
