// The card of the rules, for admins.

import { element, isolated } from './dom.js';
import { day } from './format.js';
import { attempt } from './toast.js';

const EVERY_MS = 5_000;

export class Rules {
  #ask;
  #list = document.getElementById('rule-list');
  #mute = document.getElementById('mute');
  #isMuted = false;
  #rows = new Map();

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
    const [rules, set, status] = await Promise.all([this.#all(), this.#ask('GET', '/rule-set'), this.#ask('GET', '/status')])
      .catch(() => []);
    // The connection's badge shows that nothing is known.
    if (!rules) return;
    this.#showSet(set, rules.length, status.checks.find(it => it.name === 'consents'));
    this.#show(rules);
  }

  /** All rules, in their order. */
  async #all() {
    const rules = [];
    for (let after = null, next = ''; after !== next;) {
      after = next;
      const page = await this.#ask('GET', `/rules?limit=100${after && `&after=${after}`}`);
      rules.push(...page.data);
      next = page.next ?? after;
    }
    return rules;
  }

  #showSet({ is_dry, unreadable }, count, consents) {
    document.getElementById('no-rules').hidden = count > 0;
    this.#isMuted = is_dry;
    this.#mute.hidden = count === 0;
    this.#mute.setAttribute('aria-pressed', String(is_dry));
    this.#mute.textContent = is_dry ? 'Unmute the bot' : 'Mute the bot';
    const problems = [...unreadable, ...consents?.status === 'warn' ? [consents.message] : []];
    document.getElementById('rule-problems').replaceChildren(...problems.map(it => isolated('li', { class: 'problem' }, it)));
  }

  #switchAll(is_dry) {
    return attempt(this.#mute, () => this.#ask('PATCH', '/rule-set', { is_dry }).then(() => this.load()),
      is_dry ? 'The bot is muted: rules only record what they would do' : 'The bot speaks again');
  }

  #show(rules) {
    const names = rules.map(it => it.name);
    for (const rule of rules) {
      if (!this.#rows.has(rule.name)) this.#rows.set(rule.name, new Row(rule.name, (...to) => this.#switch(rule.name, ...to)));
      this.#rows.get(rule.name).update(rule);
    }
    // Moving a row would take the focus from its switch.
    if (names.join('\n') === this.shown) return;
    this.shown = names.join('\n');
    for (const name of this.#rows.keys()) if (!names.includes(name)) this.#rows.delete(name);
    this.#list.replaceChildren(...names.map(name => this.#rows.get(name).root));
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
