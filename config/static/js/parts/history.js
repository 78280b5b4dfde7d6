const KEPT = 50;

/** The states that undo and redo lead to, the latest last. */
export class History {
  past = [];
  future = [];

  /** Keeps a state that is about to change; what was undone before is given up. */
  remember(state) {
    if (this.past.at(-1) !== state) this.past.push(state);
    if (this.past.length > KEPT) this.past.shift();
    this.future = [];
  }
}
