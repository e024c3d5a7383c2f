// How far an overlay has come, kept over reloads and restarts of the browser.

/** A place in the log, as text. Where nothing can be kept, it is known until the page is left. */
export class Cursor {
  #key;
  #value;

  /** One for each overlay and each choice of what it shows. */
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

  /** Never back: an older page in another scene may be slower. */
  moveTo(id) {
    if (id !== null && (this.#value === null || Number(id) > Number(this.#value))) this.reset(id);
  }

  /** Back as well. */
  reset(id) {
    this.#value = id;
    try {
      localStorage.setItem(this.#key, id);
    } catch {
      // Then it lasts as long as the page.
    }
  }
}
