// The theme that was chosen in the product, or that of the system, before Swagger UI draws anything.
const followed = matchMedia("(prefers-color-scheme: dark)");

function setTheme() {
  const chosen = localStorage.getItem("adminTheme")?.replaceAll('"', "");
  document.documentElement.classList.toggle("dark-mode", chosen === "dark" || (chosen !== "light" && followed.matches));
}

setTheme();
followed.addEventListener("change", setTheme);
addEventListener("storage", setTheme);
