// The row of a consent that is missing.

import { element, isolated } from './dom.js';
import { attempt } from './toast.js';

export class Consent {
  #ask; #wanted; #steps = element('span', {}); #answer = element('div', { hidden: true });

  constructor(ask, { channel, bot, account, scopes }) {
    this.#ask = ask;
    this.#wanted = { ...bot ? { bot } : { channel }, scopes };
    const make = ({ currentTarget }) => attempt(currentTarget, () => this.#make(), 'The link is there');
    this.root = element('li', { class: 'consent problem' },
      element('p', {}, isolated('span', {}, account ?? 'The bot'), ` has not consented to ${scopes.join(', ')}, which actions need (`,
        this.#steps, '). ', element('button', { type: 'button', class: 'small', click: make }, 'Make a link')),
      this.#answer);
  }

  update({ steps }) {
    this.#steps.textContent = steps.join(', ');
  }

  /** Shows the link, or the command where this server has no public address. */
  async #make() {
    const { url, command } = await this.#ask('POST', '/consents', this.#wanted);
    this.#answer.hidden = false;
    this.#answer.replaceChildren(...url
      ? [element('label', {}, 'Send this to that person: it works once, for a day.', element('input', { readonly: true, value: url }))]
      : ['This server has no public address (', element('code', {}, 'SHOWTIME_PUBLIC_URL'), '). Run on its machine: ', element('code', {}, command)]);
    this.#answer.querySelector('input')?.select();
  }
}
