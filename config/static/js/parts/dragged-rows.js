/**
 * Saves the order in which rows were dragged (`x-sort`) by submitting their keys in the field that `data-ordering`
 * names. Buttons beside each row do the same without a pointer.
 */
export function saveDraggedOrder() {
  const keysOf = (body) => [...body.querySelectorAll("[data-key]")].map((row) => row.dataset.key).join(",");
  for (const body of document.querySelectorAll("[data-ordering]")) {
    const shown = keysOf(body);
    body.addEventListener("sorted", () => {
      if (keysOf(body) === shown) return;
      const form = body.closest("form");
      const order = form.elements[body.dataset.ordering];
      order.disabled = false;
      order.value = keysOf(body);
      form.requestSubmit();
    });
  }
}
