// What the server tells of a channel, asked for when it is needed.

/** For how long it is used before it is asked for again, and after an error, in milliseconds. */
const FRESH = 60 * 60_000;
const AFTER_ERROR = 60_000;

/** The field of an object, if it is its own. */
export const own = (object, name) => object && Object.hasOwn(object, name) ? object[name] : undefined;

export class ByChannel {
  #load;
  #onNews;
  #now;
  /** By channel: the answer, and when it is to be asked for again. */
  #channels = new Map();

  /**
   * `load(channel)` asks for what is known of a channel, by its id; `onNews(channel)` is called when it is there. An answer with something
   * `unavailable` is asked for again as after an error.
   */
  constructor(load, onNews, now = Date.now) {
    [this.#load, this.#onNews, this.#now] = [load, onNews, now];
  }

  /** What is known of a channel; `{}` if nothing is yet. */
  of(channel) {
    const known = this.#channels.get(channel) ?? { answer: {}, until: 0 };
    if (known.until <= this.#now()) this.#ask(channel, known.answer);
    return known.answer;
  }

  async #ask(channel, before) {
    this.#channels.set(channel, { answer: before, until: Infinity });
    try {
      const answer = await this.#load(channel);
      this.#channels.set(channel, { answer, until: this.#now() + (answer.unavailable?.length > 0 ? AFTER_ERROR : FRESH) });
      this.#onNews(channel);
    } catch {
      this.#channels.set(channel, { answer: before, until: this.#now() + AFTER_ERROR });
    }
  }
}
