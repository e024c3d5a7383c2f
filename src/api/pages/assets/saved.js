// The settings of an overlay: those of its address, and before them those that are saved on the server under the name in it.

import { Refused, call, tokenInAddress } from './api.js';
import { pause } from './feed.js';
import { flat, plain, variationsOf } from './stored.js';

/** The name in `/overlay/KIND/NAME`, or null. */
export const NAME = location.pathname.split('/')[3] || null;

export class SavedSettings {
  #part;
  #changedAt = null;

  /** `part` of the saved settings is for this overlay, beside those that are for all. */
  constructor(part) {
    this.#part = part;
  }

  /** The settings as a query, and what is wrong with them: `{query, variations, problems}`. Waits for a server that does not answer. */
  async load() {
    const own = new URLSearchParams(location.search);
    if (NAME === null || tokenInAddress() === null) return { query: own, variations: {}, problems: [] };
    const { document, problems } = await this.#read();
    const query = plain(flat(document, [this.#part]), this.#part);
    for (const [name, value] of own) query.set(name, value);
    return { query, variations: variationsOf(document), problems };
  }

  /** Whether they have changed since, given what `settings` of a feed lists. */
  haveChanged({ settings }) {
    return NAME !== null && (settings.find(it => it.name === NAME)?.changed_at ?? null) !== this.#changedAt;
  }

  async #read() {
    for (let attempt = 0; ; attempt++) {
      try {
        const { settings, changed_at } = await call(tokenInAddress(), 'GET', `/overlays/settings/${NAME}`);
        this.#changedAt = changed_at;
        return { document: settings, problems: [] };
      } catch (error) {
        if (error instanceof Refused && error.status < 429) {
          this.#changedAt = null;
          // What is wrong with a token is the feed's to say.
          const isToken = [401, 403].includes(error.status);
          return { document: {}, problems: isToken ? [] : [{ name: NAME, message: error.message }] };
        }
        await new Promise(resolve => setTimeout(resolve, pause(attempt)));
      }
    }
  }
}
