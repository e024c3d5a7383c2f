// Shows /status, and with it the last 24 hours.

import { DeliveryHistory } from './delivery.js';
import { element } from './dom.js';
import { day } from './format.js';

const EVERY_MS = 30_000;

export class Health {
  #ask; #onStatus;
  #details = document.getElementById('health-details');
  #shown = '';

  /** `onStatus` is called with each answer. */
  constructor(ask, onStatus) {
    [this.#ask, this.#onStatus] = [ask, onStatus];
  }

  start() {
    this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
    new DeliveryHistory(this.#ask).start();
  }

  async load() {
    try {
      const status = await this.#ask('GET', '/status');
      this.#show(status);
      this.#onStatus(status);
    } catch (error) {
      this.#showVerdict('fail', error.message);
    }
  }

  #showVerdict(verdict, message) {
    const badge = document.getElementById('verdict');
    badge.textContent = verdict;
    badge.className = `badge ${verdict}`;
    document.getElementById('health-message').textContent = message;
  }

  #show(status) {
    this.#showVerdict(status.verdict, status.message);
    const parts = [status.checks ?? [], status.wanted ?? [], status.subscriptions ?? [], status.tokens ?? []];
    // An open table is kept while its rows are the same; the changing delay of the last event does not count.
    const text = JSON.stringify(parts.slice(1)) + parts[0].map(it => it.name + it.status).join();
    if (text === this.#shown) return;
    this.#shown = text;
    const [checks, wanted, subscriptions, tokens] = parts;
    this.#details.replaceChildren(...[
      element('ul', { class: 'list' }, ...checks.map(it => element('li', {},
        element('span', { class: `badge ${it.status}` }, it.status), element('span', {}, it.message)))),
      table('Desired subscriptions', wanted, {
        Type: it => `${it.type} v${it.version}`, Channel: it => it.channel_login, Status: it => it.status,
        Since: it => day(it.since), 'What to do': it => it.command ?? it.message,
      }),
      table('Subscriptions in use', subscriptions, {
        Type: it => `${it.type} v${it.version}`, Status: it => it.status, Since: it => day(it.since),
      }),
      table('Tokens', tokens, {
        Holder: it => it.login ?? it.holder, Status: it => it.status,
        Expires: it => it.expires_at ? day(it.expires_at) : '', 'What to do': it => it.command ?? it.message,
      }),
    ].filter(Boolean));
  }
}

function table(title, rows, columns) {
  if (rows.length === 0) return null;
  const head = Object.keys(columns).map(name => element('th', { scope: 'col' }, name));
  const line = row => element('tr', {}, ...Object.values(columns).map(cell => element('td', {}, cell(row))));
  return element('details', {},
    element('summary', {}, `${title} (${rows.length})`),
    element('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': title },
      element('table', {}, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows.map(line)))));
}
