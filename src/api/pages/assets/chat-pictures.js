// Badges and cheermotes. The server has their addresses from Twitch.

/** For how long they are shown before they are asked for again, and after an error, in milliseconds. */
const FRESH = 60 * 60_000;
const AFTER_ERROR = 60_000;

const NONE = { badges: {}, cheermotes: {} };

const own = (object, name) => object && Object.hasOwn(object, name) ? object[name] : undefined;

export class ChatPictures {
  #load;
  #onNews;
  #now;
  /** By channel: the pictures, and when they are to be asked for again. */
  #channels = new Map();

  /** `load(channel)` asks for the pictures of a channel, by its id; `onNews(channel)` is called when they are there. */
  constructor(load, onNews, now = Date.now) {
    [this.#load, this.#onNews, this.#now] = [load, onNews, now];
  }

  /** The badge of a message on a channel, `{title, url}`; undefined if it is not known, or not yet. */
  badge(channel, { set_id, id }) {
    return own(own(this.#of(channel).badges, set_id), id);
  }

  /** The pictures of a cheermote of so many bits; undefined if it is none that is known. */
  cheermote(channel, prefix, bits) {
    return own(this.#of(channel).cheermotes, prefix.toLowerCase())?.findLast(tier => tier.min_bits <= bits);
  }

  #of(channel) {
    const known = this.#channels.get(channel) ?? { pictures: NONE, until: 0 };
    if (known.until <= this.#now()) this.#ask(channel, known.pictures);
    return known.pictures;
  }

  async #ask(channel, before) {
    this.#channels.set(channel, { pictures: before, until: Infinity });
    try {
      this.#channels.set(channel, { pictures: await this.#load(channel), until: this.#now() + FRESH });
      this.#onNews(channel);
    } catch {
      this.#channels.set(channel, { pictures: before, until: this.#now() + AFTER_ERROR });
    }
  }
}
