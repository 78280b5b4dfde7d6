// A page that comes back after a click puts the focus where it was: Chromium drops
// `autofocus` when something else had the focus for a moment while the page was loading.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const wanted = document.querySelector("[autofocus]");
  if (wanted && document.activeElement === document.body) wanted.focus();
});
