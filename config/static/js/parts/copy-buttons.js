// Buttons that copy a text: what `data-copy` holds, said in the status beside them.
"use strict";

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    // pages that did not come by HTTPS have no clipboard: select the text and copy as people do
    const box = document.createElement("textarea");
    box.value = button.dataset.copy;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    button.focus();
  }
  const status = button.parentElement.querySelector("[data-copied]");
  if (status) status.textContent = status.dataset.copied;
});
