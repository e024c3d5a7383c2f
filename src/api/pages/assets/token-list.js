// The tokens for overlays, which an admin can revoke.

import { element, isolated } from './dom.js';
import { day } from './format.js';
import { Rows } from './rows.js';
import { attempt } from './toast.js';

export class TokenList {
  #ask;
  #onRevoked;
  #rows = new Rows(document.getElementById('token-list'), 'name', it => new Row(it, button => this.#revoke(it.name, button)));

  /** `onRevoked` is called when one was revoked. */
  constructor(ask, onRevoked) {
    [this.#ask, this.#onRevoked] = [ask, onRevoked];
  }

  async load() {
    const { data } = await this.#ask('GET', '/tokens').catch(() => ({ data: [] }));
    const tokens = data.filter(it => it.scope === 'overlay');
    document.getElementById('tokens').hidden = tokens.length === 0;
    this.#rows.show(tokens);
  }

  async #revoke(name, button) {
    const isDone = await attempt(button, () => this.#ask('DELETE', `/tokens/${encodeURIComponent(name)}`), `Revoked ${name}`);
    await this.load();
    if (isDone) this.#onRevoked();
  }
}

class Row {
  #used = element('span', { class: 'quiet' });

  constructor({ name, created_at }, revoke) {
    this.root = element('li', { 'data-token': name },
      element('span', { class: 'grows' }, isolated('strong', {}, name), ` made ${day(created_at)}, `, this.#used),
      element('button', { type: 'button', class: 'small', click: ({ currentTarget }) => revoke(currentTarget) },
        'Revoke', element('span', { class: 'unseen' }, ` the token ${name}`)));
  }

  update({ last_used_at }) {
    this.#used.textContent = last_used_at ? `last used ${day(last_used_at)}` : 'never used';
  }
}
