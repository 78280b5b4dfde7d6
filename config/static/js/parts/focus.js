/**
 * Puts the focus where a page that comes back after a click had it: Chromium drops `autofocus` when something else
 * had the focus for a moment while the page was loading. Scrolls the chosen tab into view on a narrow screen.
 */
export function restoreFocus() {
  const wanted = document.querySelector("[autofocus]");
  if (wanted && document.activeElement === document.body) wanted.focus();
  const tab = document.querySelector(".ca-tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;
}
