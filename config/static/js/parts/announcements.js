const PAUSE = 5_000; // milliseconds between two announcements: of what changes faster the last state is said

/**
 * Says to screen readers what a page changes by itself: the value of `data-announced` in what htmx brought, or else the
 * text of the element that has it, in the one polite region that every page keeps (`#announced`). A region that is
 * itself replaced is announced by some screen readers only, and whole lists by others.
 */
export function announceChanges() {
  const region = document.getElementById("announced");
  if (!region) return;
  let said = announcementOf(document);
  let latest = said;
  let timer = 0;
  const say = () => {
    timer = 0;
    if (latest === said) return;
    said = latest;
    region.textContent = said;
    timer = setTimeout(say, PAUSE);
  };
  document.addEventListener("htmx:load", (event) => {
    latest = announcementOf(event.target) || latest;
    if (!timer) say();
  });
}

function announcementOf(root) {
  const place = root.matches?.("[data-announced]") ? root : root.querySelector("[data-announced]");
  return (place?.dataset.announced || place?.textContent || "").trim().replace(/\s+/g, " ");
}
