// The badge in the header: the worst of the page's feed, the server's database and Twitch, and since when.

import { problemOf } from './api.js';
import { clock } from './format.js';

const EVERY_MS = 2_000;
/** The server's own limit is two seconds. */
const TIMEOUT_MS = 4_000;

const FEED = { lost: 'connection lost, trying again', refused: 'refused' };
const READINESS = { unready: 'the server can store nothing now', silent: 'the server does not answer' };
const READY = { state: 'ready', reason: '' };
/** The checks of `/status` that tell whether Twitch's messages arrive. */
const TWITCH = ['twitch', 'websocket', 'subscriptions'];

export class Connection {
  #feed = 'lost';
  #readiness = READY;
  #twitch = null;
  #shown = null;
  #since = null;
  #onChange;
  #badge = document.getElementById('connection');
  #reason = document.getElementById('connection-reason');

  /** `onChange` is called when the server becomes ready, or is no longer ready. */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#watch();
  }

  /** The state of the page's feed. */
  set feed(state) {
    this.#feed = state;
    this.#show();
  }

  /** An answer of `/status`. */
  set status({ setup, checks = [] }) {
    const isBad = it => TWITCH.includes(it.name) && it.status !== 'pass';
    this.#twitch = setup === 'unconfigured' ? null : checks.find(isBad)?.message ?? null;
    this.#show();
  }

  /** Asks for the readiness again and again. A feed does not show it: it has heartbeats while the database hangs. */
  async #watch() {
    for (;;) {
      const found = document.hidden ? this.#readiness : await readiness();
      const isChanged = found.state !== this.#readiness.state;
      this.#readiness = found;
      this.#show();
      if (isChanged) this.#onChange();
      await new Promise(resolve => setTimeout(resolve, EVERY_MS));
    }
  }

  #show() {
    const { verdict, text, reason } = this.#worst();
    if (text === this.#shown && reason === this.#reason.textContent) return;
    if (text !== this.#shown) this.#since = Date.now();
    this.#shown = text;
    this.#badge.textContent = verdict === 'pass' ? text : `${text}, since ${clock(this.#since)}`;
    this.#badge.className = `badge ${verdict}`;
    this.#reason.textContent = reason;
  }

  #worst() {
    const { state, reason } = this.#readiness;
    if (READINESS[state]) return { verdict: 'fail', text: READINESS[state], reason };
    if (FEED[this.#feed]) return { verdict: 'warn', text: FEED[this.#feed], reason: '' };
    if (this.#twitch) return { verdict: 'warn', text: 'Twitch: see Health', reason: this.#twitch };
    return { verdict: 'pass', text: 'connected', reason: '' };
  }
}

/** Whether the server can store what comes: `{state, reason}`. */
async function readiness() {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), TIMEOUT_MS);
  try {
    const response = await fetch('/readyz', { cache: 'no-store', signal: ending.signal });
    return response.ok ? READY : { state: 'unready', reason: (await problemOf(response)).detail };
  } catch {
    return { state: 'silent', reason: 'check that it runs, and the network' };
  } finally {
    clearTimeout(timer);
  }
}
