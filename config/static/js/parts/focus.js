// A page that comes back after a click puts the focus where it was: Chromium drops
// `autofocus` when something else had the focus for a moment while the page was loading.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const wanted = document.querySelector("[autofocus]");
  if (wanted && document.activeElement === document.body) wanted.focus();
  // on a narrow screen the chosen tab may stand beyond the edge
  const tab = document.querySelector(".ca-tabs [aria-current]");
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 16;
});
