// The demo site's own code: it hands the form to the script, as a site's developer would.
const form = document.querySelector("#test-drive");

form?.addEventListener("submit", () => {
  const { first_name, email, model } = Object.fromEntries(new FormData(form));
  window.customActivities?.form?.(form, { first_name, email, model });
});
