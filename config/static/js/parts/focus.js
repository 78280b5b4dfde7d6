/**
 * Puts the focus where a page that comes back after a click had it: Chromium drops `autofocus` when something else
 * had the focus for a moment while the page was loading. A field that the address names has it, too. Scrolls the chosen
 * tab into view on a narrow screen.
 */
export function restoreFocus() {
  const named = document.getElementById(location.hash.slice(1));
  const wanted = named?.matches("input, select, textarea") ? named : document.querySelector("[autofocus]");
  if (wanted && document.activeElement === document.body) wanted.focus();
  const tab = document.querySelector(".ca-tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;
}
