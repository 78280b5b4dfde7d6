// What every page of the product needs.
import { announceChanges } from "../parts/announcements.js";
import { enableChoosing } from "../parts/chosen-rows.js";
import { enableCopying } from "../parts/copy-buttons.js";
import { saveDraggedOrder } from "../parts/dragged-rows.js";
import { restoreFocus } from "../parts/focus.js";
import { closeMenus } from "../parts/menus.js";
import { proposePeople } from "../parts/people-picker.js";
import { proposeNames } from "../parts/proposed-names.js";
import { focusWhatWasRefused } from "../parts/refused-entries.js";
import { guardUnsavedChanges } from "../parts/unsaved-changes.js";

closeMenus();
enableChoosing();
enableCopying();
saveDraggedOrder();
guardUnsavedChanges();
proposeNames(document);
proposePeople(document);
document.addEventListener("htmx:load", (event) => {
  proposeNames(event.target);
  proposePeople(event.target);
});
document.addEventListener("DOMContentLoaded", () => {
  announceChanges();
  focusWhatWasRefused();
  restoreFocus(); // the theme shows the page only then
});
