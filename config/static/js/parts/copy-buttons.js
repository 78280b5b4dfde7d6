async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // pages that did not come by HTTPS have no clipboard: select the text and copy as people do
    const box = document.createElement("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
    button.focus();
  }
}

/** Has buttons copy the text that their `data-copy` holds; the status beside them says so. */
export function enableCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await copy(button.dataset.copy, button);
    const status = button.parentElement.querySelector("[data-copied]");
    if (status) status.textContent = status.dataset.copied;
  });
}
