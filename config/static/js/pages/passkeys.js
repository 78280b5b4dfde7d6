// Passkeys on the pages that offer them: shown where the browser knows them, a failure said on the page. The global
// functions that it calls are those of allauth's scripts.
document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const problem = document.getElementById("passkey_problem");
  if (problem) problem.hidden = false;
});

if (window.PublicKeyCredential) {
  for (const part of document.querySelectorAll(".ca-with-passkeys")) part.hidden = false;
  for (const script of document.querySelectorAll("script[data-allauth-onload]")) {
    const start = script.dataset.allauthOnload.split(".").reduce((holder, name) => holder[name], window);
    start(JSON.parse(script.textContent));
  }
}
