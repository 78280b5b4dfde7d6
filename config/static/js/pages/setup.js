// Proposes the time zone of the browser while nobody has chosen one.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const field = document.getElementById("id_time_zone");
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  if (field && field.value === "UTC" && [...field.options].some((option) => option.value === timeZone)) field.value = timeZone;
});
