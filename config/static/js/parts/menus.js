/** Menus (`details.ca-menu`) close when something beside them is chosen, or by Escape, which leaves the focus on them. */
export function closeMenus() {
  const opened = () => document.querySelectorAll(".ca-menu[open]");
  document.addEventListener("click", (event) => {
    for (const menu of opened()) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of opened()) {
      menu.open = false;
      if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    }
  });
}
