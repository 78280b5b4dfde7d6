import { fetchFragment } from "./builder-form.js";
import { proposePeople } from "./people-picker.js";

const PAUSE = 250;

/** The panel beside the cards, with the count, and the sentence under each card: both follow from the form's state. */
export class BuilderPanel {
  #timer = 0;
  #counting = null;

  /** `isMoving()` tells whether a change is under way after which cards have other places. */
  constructor(cardForm, isMoving, failed) {
    this.cardForm = cardForm;
    this.isMoving = isMoving;
    this.failed = failed;
  }

  /** Dims the sentences: they describe a state that is past, and the reply that renews them is on its way. */
  markStale() {
    this.cardForm.cards.classList.add("ca-stale");
  }

  count() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.ask(this.cardForm.state), PAUSE);
  }

  ask(body) {
    this.#counting?.abort();
    this.#counting = new AbortController();
    const about = this.cardForm.rules;
    const show = (html) => {
      this.#show(html);
      // sentences about another state say nothing of this one: the next reply brings them
      if (!this.isMoving() && this.cardForm.rules === about) this.#showSentences();
    };
    // a fault of showing is none of the server's: it is left to be seen
    fetchFragment(this.cardForm.form.dataset.panel, body, this.#counting.signal).then(show, this.failed);
  }

  #show(html) {
    const tested = document.getElementById("id_tested");
    const isTyping = tested === document.activeElement;
    const text = tested ? tested.value : "";
    const panel = document.getElementById("panel");
    panel.innerHTML = html;
    proposePeople(panel);
    const box = document.getElementById("id_tested");
    if (box && isTyping) {
      box.value = text;
      box.focus();
      box.dispatchEvent(new Event("input")); // what was typed meanwhile is proposed people for, too
    }
    const summary = document.querySelector("#panel [data-said]")?.textContent.trim().replace(/\s+/g, " ") ?? "";
    const status = document.getElementById("said");
    if (status.textContent !== summary) status.textContent = summary;
    // beside "Save" where the panel is far below; campaigns count nobody
    const live = this.cardForm.form.querySelector("[data-live]");
    if (live) live.textContent = summary;
  }

  #showSentences() {
    const reply = document.getElementById("card-sentences"); // campaigns have none
    for (const [index, sentence] of (reply ? JSON.parse(reply.textContent) : []).entries()) {
      for (const place of this.cardForm.cards.querySelectorAll(`#card-${index + 1} [data-sentence]`)) {
        place.textContent = sentence;
        place.hidden = sentence === "";
      }
    }
    this.cardForm.cards.classList.remove("ca-stale");
  }
}
