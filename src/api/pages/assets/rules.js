// The card of the rules, for admins.

import { Consent } from './consent.js';
import { element, isolated } from './dom.js';
import { day } from './format.js';
import { Rows } from './rows.js';
import { attempt } from './toast.js';

const EVERY_MS = 5_000;

export class Rules {
  #ask;
  #mute = document.getElementById('mute');
  #isMuted = false;
  #rows = new Rows(document.getElementById('rule-list'), 'name',
    it => new Row(it.name, (...to) => this.#switch(it.name, ...to)));

  #consents = new Rows(document.getElementById('rule-consents'), 'key', it => new Consent(this.#ask, it));

  constructor(ask) {
    this.#ask = ask;
    this.#mute.addEventListener('click', () => this.#switchAll(!this.#isMuted));
  }

  /** Shows the card, and keeps it up to date. */
  async start() {
    document.getElementById('rules').hidden = false;
    await this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
  }

  async load() {
    const [rules, set, consents] = await Promise.all([this.#all(), this.#ask('GET', '/rule-set'), this.#ask('GET', '/consents')])
      .catch(() => []);
    // The connection's badge shows that nothing is known.
    if (!rules) return;
    document.getElementById('no-rules').hidden = rules.length > 0;
    this.#showSet(set, rules.length > 0);
    this.#rows.show(rules);
    this.#consents.show(consents.data.map(it => ({ ...it, key: `${it.account} ${it.scopes}` })));
  }

  /** All rules, in their order. */
  async #all() {
    const rules = [];
    let next = '';
    do {
      const page = await this.#ask('GET', `/rules?limit=100${next && `&after=${next}`}`);
      rules.push(...page.data);
      next = page.next;
    } while (next !== null);
    return rules;
  }

  #showSet({ is_dry, unreadable }, hasRules) {
    this.#isMuted = is_dry;
    this.#mute.hidden = !hasRules;
    this.#mute.setAttribute('aria-pressed', String(is_dry));
    this.#mute.textContent = is_dry ? 'Unmute the bot' : 'Mute the bot';
    document.getElementById('rule-problems')
      .replaceChildren(...unreadable.map(it => isolated('li', { class: 'problem' }, it)));
  }

  #switchAll(is_dry) {
    return attempt(this.#mute, () => this.#ask('PATCH', '/rule-set', { is_dry }).then(() => this.load()),
      is_dry ? 'The bot is muted: rules only record what they would do' : 'The bot speaks again');
  }

  async #switch(name, isEnabled, input) {
    const isDone = await attempt(input,
      () => this.#ask('PATCH', `/rules/${encodeURIComponent(name)}`, { is_enabled: isEnabled }),
      `${name} is ${isEnabled ? 'on' : 'off'}`);
    if (!isDone) input.checked = !isEnabled;
  }
}

/** The row of one rule. Its elements are kept, so that focus is kept too. */
class Row {
  #switch;
  #waitsFor = element('code', {});
  #dry = element('span', { class: 'badge' }, 'dry');
  #fired = element('p', { class: 'quiet' });
  #refused = element('p', { class: 'quiet' });

  constructor(name, change) {
    this.#switch = element('input', { type: 'checkbox', role: 'switch',
      change: ({ currentTarget }) => change(currentTarget.checked, currentTarget) });
    this.root = element('li', { class: 'rule', 'data-rule': name },
      element('header', {}, element('label', {}, this.#switch, ' ', isolated('span', {}, name)), this.#waitsFor, this.#dry),
      this.#fired, this.#refused);
  }

  update({ is_enabled, is_dry, rule, fired_at, refused_at, refusal }) {
    if (!this.#switch.hasAttribute('aria-busy')) this.#switch.checked = is_enabled;
    this.#waitsFor.textContent = waitsFor(rule);
    this.#dry.hidden = !is_dry;
    this.#fired.textContent = fired_at ? `last fired ${day(fired_at)}` : 'has not fired yet';
    this.#refused.hidden = refusal === null;
    this.#refused.replaceChildren(...refusal === null ? [] : [`not fired ${day(refused_at)}: `, isolated('span', {}, refusal)]);
  }
}

/** What a rule waits for: `!title !t`, `channel.follow`, `every 20m`. */
function waitsFor({ on, command, message, filter, timer }) {
  if (timer) return `every ${timer.every ?? timer}`;
  if (filter) return Object.keys(filter).join(' ');
  return [on ?? command ?? message ?? []].flat().join(' ');
}
