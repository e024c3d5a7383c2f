// The card of the actions, for admins.

import { element, isolated } from './dom.js';
import { clock } from './format.js';
import { Rows } from './rows.js';
import { attempt } from './toast.js';

const EVERY_MS = 3_000;
const SHOWN = 20;

/** How good each state is. */
const BADGES = { done: 'pass', dropped: 'warn', failed: 'fail', uncertain: 'warn', stale: 'warn' };

/** States after which a person can have an action tried again. */
const RETRIED = ['dropped', 'failed', 'uncertain', 'stale', 'off'];

export class Actions {
  #ask;
  #rows = new Rows(document.getElementById('action-list'), 'id', it => new Row(it, this.#act(it.id)));

  constructor(ask) {
    this.#ask = ask;
  }

  /** Shows the card, and keeps it up to date. */
  async start() {
    document.getElementById('actions').hidden = false;
    await this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
  }

  async load() {
    const answer = await this.#ask('GET', `/actions?limit=${SHOWN}`).catch(() => null);
    // The connection's badge shows that nothing is known.
    if (answer) this.#show(answer.data);
  }

  #show(actions) {
    document.getElementById('no-actions').hidden = actions.length > 0;
    this.#rows.show(actions);
  }

  /** What the buttons of an action do. */
  #act(id) {
    const post = (path, body) => this.#ask('POST', `/actions/${id}/${path}`, body).then(() => this.load());
    return {
      retry: button => attempt(button, () => post('retry'), `Action ${id} is tried again`),
      settle: (button, has_happened) => attempt(button, () => post('settle', { has_happened }),
        `Action ${id} is ${has_happened ? 'done' : 'failed'}`),
    };
  }
}

/** The row of one action. Its elements are kept, so that focus is kept too. */
class Row {
  #state = element('span', { class: 'badge' });
  #problem = element('p', { class: 'problem' });
  #retry;
  #settle;

  constructor(action, { retry, settle }) {
    const button = (label, act) => element('button', { type: 'button', class: 'small',
      'aria-label': `${label}: action ${action.id}`, click: ({ currentTarget }) => act(currentTarget) }, label);
    this.#retry = button('Retry', retry);
    this.#settle = [button('It happened', it => settle(it, true)), button('It did not', it => settle(it, false))];
    this.root = element('li', { class: 'action', 'data-action': action.id },
      element('header', {}, element('time', { datetime: action.created_at }, clock(action.created_at)),
        isolated('span', {}, describe(action.step)), this.#state),
      this.#problem,
      element('div', { class: 'row', role: 'group', 'aria-label': `What to do with action ${action.id}` },
        ...this.#settle, this.#retry));
  }

  update({ state, problem }) {
    this.#state.textContent = state;
    this.#state.className = `badge ${BADGES[state] ?? ''}`;
    this.#problem.replaceChildren(...problem ? [isolated('span', {}, problem)] : []);
    this.#retry.hidden = !RETRIED.includes(state);
    for (const button of this.#settle) button.hidden = state !== 'uncertain';
  }
}

/** A step as a line: `say Welcome!`, `ban quietotter spam`. */
function describe(step) {
  const [[kind, value]] = Object.entries(step);
  return [kind, ...leaves(value)].join(' ');
}

/** What a step says, the user first. */
function leaves(value) {
  if (value === null || value === undefined) return [];
  if (typeof value !== 'object') return [String(value)];
  const { user, ...rest } = value;
  return [user, ...Object.values(rest)].flatMap(leaves);
}
