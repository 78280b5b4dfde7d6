// Print every activity once, also across runs: HOST=… CLIENT_ID=… CLIENT_SECRET=… CURSOR_FILE=… node follow.mjs
// The cursor is kept in CURSOR_FILE once its page is through. Needs Node 18 and nothing else.
import { existsSync, readFileSync, writeFileSync } from "node:fs";

const { HOST, CLIENT_ID, CLIENT_SECRET, CURSOR_FILE = "cursor" } = process.env;

async function call(path, options) {
  const reply = await fetch(HOST + path, options);
  if (reply.status === 429) {
    await new Promise((done) => setTimeout(done, 1000 * Number(reply.headers.get("Retry-After"))));
    return call(path, options);
  }
  if (!reply.ok) throw new Error(`${reply.status}: ${await reply.text()}`);
  return reply.json();
}

const { access_token } = await call("/api/v1/oauth/token", {
  method: "POST",
  headers: { Authorization: "Basic " + btoa(`${CLIENT_ID}:${CLIENT_SECRET}`) },
  body: new URLSearchParams({ grant_type: "client_credentials" }),
});

let cursor = existsSync(CURSOR_FILE) ? readFileSync(CURSOR_FILE, "utf8") : "";
for (let more = true; more; ) {
  const place = cursor ? `&cursor=${cursor}` : "";
  const page = await call(`/api/v1/activities?activity_type=bookTasting&page_size=1000${place}`, {
    headers: { Authorization: `Bearer ${access_token}` },
  });
  for (const one of page.results) console.log(one.id, one.person, one.activity_type, one.occurred_at, one.primary_value);
  cursor = page.cursor;
  writeFileSync(CURSOR_FILE, cursor);
  more = page.next !== null;
}
