// Shows items one at a time, in order.

/** Items that wait at most. */
export const BOUND = 100;

/** Calls `show` for each item, after the promise of the item before. Items that `isHeld` says are passed over until it does not. */
export class Queue {
  #show;
  #isHeld;
  #waiting = [];
  #isBusy = false;

  constructor(show, isHeld = () => false) {
    [this.#show, this.#isHeld] = [show, isHeld];
  }

  /** Whether nothing is shown and nothing waits. */
  get isIdle() {
    return !this.#isBusy && this.#waiting.length === 0;
  }

  /** The items that wait, in order. */
  get waiting() {
    return this.#waiting;
  }

  /** Adds an item. If too many wait, the oldest is dropped. */
  push(item) {
    this.#waiting.push(item);
    if (this.#waiting.length > BOUND) this.#waiting.shift();
    this.go();
  }

  /** Keeps only the items that wait and are chosen. */
  keep(isChosen) {
    this.#waiting = this.#waiting.filter(isChosen);
  }

  /** Shows what is not held any more. */
  go() {
    if (!this.#isBusy) this.#run();
  }

  async #run() {
    this.#isBusy = true;
    for (;;) {
      const next = this.#waiting.findIndex(item => !this.#isHeld(item));
      if (next < 0) break;
      const [item] = this.#waiting.splice(next, 1);
      try {
        await this.#show(item);
      } catch (error) {
        console.error(error);
      }
    }
    this.#isBusy = false;
  }
}
