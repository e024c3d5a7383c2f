// Shows items one at a time, in order.

/** Items that wait at most. */
export const BOUND = 100;

/** Calls `show` for each item, after the promise of the item before. */
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

  /** Adds an item. If too many wait, the oldest is dropped. */
  push(item) {
    this.#waiting.push(item);
    if (this.#waiting.length > BOUND) this.#waiting.shift();
    if (!this.#isBusy) this.#run();
  }

  /** Drops the items that wait. */
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
