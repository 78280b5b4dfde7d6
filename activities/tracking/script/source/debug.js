// The overlay of `?_ca_debug=1`: what this page sent, and what was answered. Only the page's own visitor sees it.

const TEXTS = {
  en: {
    title: "Tracking",
    close: "Close",
    modes: ["off", "without cookies", "on"],
    visitor: "visitor",
    none: "none",
    consent: "consent",
    states: { unknown: "no answer yet", granted: "given", denied: "withheld" },
    kinds: { page: "page", link: "link", form: "form", track: "activity", identify: "person", consent: "consent" },
    sent: "sending",
    ok: "accepted",
    failed: "no answer, will be sent again",
    retry: "will be sent again",
    refused: "rejected",
  },
  es: {
    title: "Seguimiento",
    close: "Cerrar",
    modes: ["desactivado", "sin cookies", "activado"],
    visitor: "visitante",
    none: "ninguno",
    consent: "consentimiento",
    states: { unknown: "aún sin respuesta", granted: "dado", denied: "denegado" },
    kinds: {
      page: "página",
      link: "enlace",
      form: "formulario",
      track: "actividad",
      identify: "persona",
      consent: "consentimiento",
    },
    sent: "enviando",
    ok: "aceptado",
    failed: "sin respuesta, se volverá a enviar",
    retry: "se volverá a enviar",
    refused: "rechazado",
  },
};

(() => {
  const api = window.customActivities;
  if (!api?.log) return;
  const texts = TEXTS[navigator.language.slice(0, 2)] || TEXTS.en;
  const outcomes = new Map();

  const element = (name, css, text = "") => {
    const made = document.createElement(name);
    made.style.cssText = css; // allowed by every content security policy, unlike a style element
    made.textContent = text;
    return made;
  };

  const host = element("div", "all:initial");
  const root = host.attachShadow({ mode: "open" });
  const box = element(
    "section",
    "position:fixed;right:12px;bottom:12px;z-index:2147483647;width:420px;max-width:90vw;max-height:50vh;overflow:auto;padding:12px;border-radius:8px;background:#1d2433;color:#f3f5fa;font:13px/1.5 system-ui,sans-serif;box-shadow:0 4px 20px #0006",
  );
  box.setAttribute("aria-label", texts.title);
  const state = element("p", "margin:0 0 8px;padding-right:72px");
  const list = element("ol", "margin:0;padding:0;list-style:none");
  const close = element(
    "button",
    "position:absolute;top:8px;right:8px;font:inherit;color:inherit;background:none;border:1px solid #5b6784;border-radius:4px;cursor:pointer",
    texts.close,
  );
  close.addEventListener("click", () => host.remove());
  box.append(close, state, list);
  root.append(box);

  function describeAnswer(status) {
    if (!status) return texts.failed;
    if (status < 300) return `${texts.ok} (${status})`;
    return `${status === 429 || status > 499 ? texts.retry : texts.refused} (${status})`;
  }

  function describeHit({ type, data, url }) {
    const what = data.type || data.href || data.form || data.email || data.state || url;
    return `${texts.kinds[type]} · ${String(what).slice(0, 120)}`;
  }

  async function readRefusals(reply) {
    try {
      const { refused = [] } = await reply.clone().json();
      for (const { id, code, message } of refused) outcomes.set(id, `${texts.refused}: ${message || code}`);
      draw();
    } catch {
      // an empty answer
    }
  }

  function draw() {
    const [mode, visitor, consent] = api.state();
    const short = visitor ? `${visitor.slice(0, 8)}…` : texts.none;
    state.textContent = `${texts.title}: ${texts.modes[mode]} · ${texts.visitor} ${short} · ${texts.consent} ${texts.states[consent]}`;
    list.replaceChildren();
    const hits = api.log.filter(([what]) => what === "made").map(([, hit]) => hit);
    for (const hit of hits.slice(-100).reverse()) {
      const time = new Date(hit.at).toLocaleTimeString();
      const text = `${time} ${describeHit(hit)} — ${outcomes.get(hit.id) || texts.sent}`;
      list.append(element("li", "padding:4px 0;border-top:1px solid #39435c;overflow-wrap:anywhere", text));
    }
  }

  let seen = 0;
  function read() {
    for (const [what, hit, status, reply] of api.log.slice(seen)) {
      if (what !== "answer") continue;
      outcomes.set(hit.id, describeAnswer(status));
      if (status === 200) readRefusals(reply);
    }
    seen = api.log.length;
    draw();
  }

  api.onlog = read;
  document.documentElement.append(host);
  read();
})();
