// Badges, cheermotes, and emotes of other services than Twitch. The server has their addresses.

import { ByChannel, own } from './by-channel.js';

export class ChatPictures {
  #pictures;
  #emotes;

  /**
   * `loadPictures(channel)` and `loadEmotes(channel)` ask for those of a channel, by its id; `onNews(channel)` is called when they are
   * there.
   */
  constructor(loadPictures, loadEmotes, onNews, now = Date.now) {
    [this.#pictures, this.#emotes] = [new ByChannel(loadPictures, onNews, now), new ByChannel(loadEmotes, onNews, now)];
  }

  /** The badge of a message on a channel, `{title, url}`; undefined if it is not known, or not yet. */
  badge(channel, { set_id, id }) {
    return own(own(this.#pictures.of(channel).badges, set_id), id);
  }

  /** The pictures of a cheermote of so many bits; undefined if it is none that is known. */
  cheermote(channel, prefix, bits) {
    return own(this.#pictures.of(channel).cheermotes, prefix.toLowerCase())?.findLast(tier => tier.min_bits <= bits);
  }

  /** The emote that a word is, `{url, still_url, is_zero_width}`; undefined if it is none that is known. */
  emote(channel, word) {
    return own(this.#emotes.of(channel).emotes, word);
  }
}
