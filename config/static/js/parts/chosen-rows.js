/** Rows with check boxes: one box that chooses all of the page (`data-choose-all`), and the number of chosen rows. */
export function enableChoosing() {
  document.addEventListener("change", ({ target }) => {
    const form = target.closest("form.ca-choosing");
    if (!form || target.type !== "checkbox") return;
    const every = form.querySelector("[data-choose-all]");
    const rows = [...form.elements].filter((box) => box.name === every.dataset.chooseAll);
    if (target === every) for (const box of rows) box.checked = every.checked;
    const chosen = rows.filter((box) => box.checked).length;
    every.checked = chosen === rows.length && chosen > 0;
    every.indeterminate = chosen > 0 && chosen < rows.length;
    const isEverybody = form.elements.select_across?.checked;
    form.querySelector("[data-chosen-count]").textContent = isEverybody || !chosen ? "" : chosen;
  });
}
