// Proposes the time zone of the browser while nobody has chosen one.
const field = document.getElementById("id_time_zone");
const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
if (field?.value === "UTC" && [...field.options].some((option) => option.value === timeZone)) field.value = timeZone;
