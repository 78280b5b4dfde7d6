const UNGUARDED = "[data-unguarded], #changelist-form, body.login form"; // a question, a selection, a password: no data
const OTHER = new Set(["csrfmiddlewaretoken", "tested", "confirm"]);

/** What a form would send, without what is about the page rather than about what it edits. */
function dataOf(form) {
  const entries = [...new FormData(form)].filter(([name]) => !OTHER.has(name) && !name.endsWith(".folded"));
  return JSON.stringify(entries.map(([name, value]) => [name, value instanceof File ? value.name : value]));
}

/**
 * Has the browser ask before a page with unsaved changes is left: a form that posts and differs from what it was,
 * or came back from the server with errors.
 */
export function guardUnsavedChanges() {
  const forms = [...document.querySelectorAll("form[method=post i]")].filter((form) => !form.matches(UNGUARDED));
  const before = new Map(forms.map((form) => [form, dataOf(form)]));
  const isRefused = (form) => form.querySelector("[aria-invalid=true]") !== null;
  const refused = new Set(forms.filter(isRefused));
  let isSending = false;
  const isChanged = (form) => form.isConnected && (refused.has(form) || dataOf(form) !== before.get(form));

  document.addEventListener("submit", () => {
    isSending = true;
    setTimeout(() => {
      isSending = false; // an answer that is a file leaves the page where it is
    }, 3000);
  });
  window.addEventListener("pageshow", () => {
    isSending = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isSending && forms.some(isChanged)) event.preventDefault();
  });
}
