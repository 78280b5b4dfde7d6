/** A new element with its attributes and, where given, its text. */
export function element(name, attributes, text) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Whether a reply is the JSON that was asked for: once the session has ended it is the sign-in page. */
export function hasJson(reply) {
  return Boolean(reply?.ok && reply.headers.get("Content-Type")?.startsWith("application/json"));
}
