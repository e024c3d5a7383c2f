// An overlay's place in the log, kept over reloads and restarts of the browser.

/** A log id, as text. Without local storage it is kept until the page is left. */
export class Cursor {
  #key;
  #value;

  /** One cursor for each overlay and each choice of its settings. */
  constructor(overlay, ...choice) {
    this.#key = ['showtime.cursor', overlay, ...choice.map(it => it || '*')].join(':');
    try {
      this.#value = localStorage.getItem(this.#key);
    } catch {
      this.#value = null;
    }
    if (!/^\d+$/.test(this.#value ?? '')) this.#value = null;
  }

  get value() {
    return this.#value;
  }

  /** Moves forwards only: an older page in another scene may be slower. */
  moveTo(id) {
    if (id !== null && (this.#value === null || Number(id) > Number(this.#value))) this.reset(id);
  }

  /** Moves to any place, backwards too. */
  reset(id) {
    this.#value = id;
    try {
      localStorage.setItem(this.#key, id);
    } catch {
      // Then it is kept as long as the page.
    }
  }
}
