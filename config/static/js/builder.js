// The smart-list builder with a browser that runs scripts: structure changes are fetched from the server, which owns
// the form, the count follows while somebody types, and every change can be undone. Without this file the same
// buttons submit the page.
document.addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("list-form");
  if (!form || !document.getElementById("builder")) return;
  const undo = form.querySelector("[data-undo]");
  const past = [];
  let timer = 0;
  let counting = null;

  const state = () => new URLSearchParams(new FormData(form)).toString();
  let present = state();

  const remember = () => {
    if (past[past.length - 1] !== present) past.push(present);
    if (past.length > 50) past.shift();
    undo.hidden = past.length === 0;
  };

  const fragment = async (url, body, signal) => {
    const reply = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", "HX-Request": "true" },
      body,
      signal,
    });
    if (!reply.ok) throw new Error(`the server answered ${reply.status}`);
    return reply.text();
  };

  const restructure = async (extra, body) => {
    const sent = new URLSearchParams(body || state());
    for (const [name, value] of Object.entries(extra)) sent.set(name, value);
    const html = await fragment(window.location.href, sent);
    const focused = document.activeElement && document.activeElement.id;
    document.getElementById("builder").outerHTML = html;
    const again = focused && document.getElementById(focused);
    if (again) again.focus();
    present = state();
    count();
  };

  const showPanel = (html) => {
    const tested = document.getElementById("id_tested");
    const isTyping = tested === document.activeElement;
    const typed = tested ? tested.value : "";
    document.getElementById("panel").innerHTML = html;
    const box = document.getElementById("id_tested");
    if (box && isTyping) {
      box.value = typed;
      box.focus();
    }
  };

  const count = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (counting) counting.abort();
      counting = new AbortController();
      fragment(form.dataset.panel, state(), counting.signal).then(showPanel, () => {});
    }, 250);
  };

  form.addEventListener("change", (event) => {
    const element = event.target;
    if (element.id === "id_tested") return;
    remember();
    if (element.dataset.adds) {
      if (element.value) restructure({ do: element.dataset.adds });
    } else if ("refresh" in element.dataset) {
      restructure({ do: "refresh" });
    } else {
      present = state();
      count();
    }
  });
  form.addEventListener("input", (event) => {
    if (event.target.matches("textarea, input") && event.target.name.startsWith("filters.")) count();
  });
  form.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button === undo) {
      const before = past.pop();
      if (before) restructure({ do: "refresh" }, before);
      undo.hidden = past.length === 0;
    } else if ("panelButton" in button.dataset) {
      event.preventDefault();
      const body = new URLSearchParams(state());
      body.set("do", "test");
      fragment(form.dataset.panel, body).then(showPanel, () => {});
    } else if (button.name === "do" && button.closest("#builder")) {
      event.preventDefault();
      remember();
      restructure({ do: button.value });
    }
  });
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // Enter would press the first button of the form, which is some card's
    if (event.target.matches("#builder input, #builder select")) event.preventDefault();
    if (event.target.id === "id_tested") {
      event.preventDefault();
      form.querySelector("[data-panel-button]").click();
    }
  });
  count();
});
