// One at a time, in order.

/** How many may wait. */
export const BOUND = 100;

/** Calls `show` for each item, the next one when the promise of the one before is done. */
export class Queue {
  #show;
  #waiting = [];
  #isBusy = false;

  constructor(show) {
    this.#show = show;
  }

  get isIdle() {
    return !this.#isBusy;
  }

  /** If too many wait, the oldest is given up. */
  push(item) {
    this.#waiting.push(item);
    if (this.#waiting.length > BOUND) this.#waiting.shift();
    if (!this.#isBusy) this.#run();
  }

  /** Forgets those that wait. */
  clear() {
    this.#waiting = [];
  }

  async #run() {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      try {
        await this.#show(this.#waiting.shift());
      } catch (error) {
        console.error(error);
      }
    }
    this.#isBusy = false;
  }
}
