// The card of the sinks, for admins.

import { element, isolated } from './dom.js';
import { clock, number } from './format.js';
import { Rows } from './rows.js';
import { attempt } from './toast.js';

const EVERY_MS = 10_000;

/** How good each state is. */
const BADGES = { ok: 'pass', waiting: 'fail', blocked: 'warn', off: '' };

export class Sinks {
  #ask;
  #dialog = new Rewind();
  #rows = new Rows(document.getElementById('sink-list'), 'name', it => this.#row(it.name));

  constructor(ask) {
    this.#ask = ask;
  }

  /** Shows the card, and keeps it up to date. */
  async start() {
    document.getElementById('sinks').hidden = false;
    await this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
  }

  async load() {
    const answer = await this.#ask('GET', '/sinks?limit=100').catch(() => null);
    // The connection's badge shows that nothing is known.
    if (answer) this.#show(answer.data);
  }

  #show(sinks) {
    document.getElementById('no-sinks').hidden = sinks.length > 0;
    this.#rows.show(sinks);
  }

  #row(name) {
    const post = (action, body) => this.#ask('POST', `/sinks/${encodeURIComponent(name)}/${action}`, body);
    return new Row(name, {
      test: button => attempt(button, () => post('test'), answer => answer?.is_routed === false
        ? `${name}: the broker took the test message, and no queue is bound for it` : `${name}: the test message has arrived`),
      pause: (button, isPaused) => attempt(button, () => post(isPaused ? 'pause' : 'resume').then(() => this.load()),
        isPaused ? `${name} is paused` : `${name} goes on`),
      rewind: async (button, cursor) => {
        const after = await this.#dialog.ask(name, cursor);
        if (after === null) return;
        await attempt(button, () => post('rewind', { after }).then(() => this.load()), `${name} goes on after event ${after}`);
      },
    });
  }
}

/** The row of one sink. Its elements are kept, so that focus is kept too. */
class Row {
  #sink;
  #kind = element('span', { class: 'badge' });
  #state = element('span', { class: 'badge' });
  #lag = element('p', { class: 'quiet' });
  #problem = element('p', { class: 'problem' });
  #pause;

  constructor(name, { test, pause, rewind }) {
    const button = (label, act) => element('button', { type: 'button', class: 'small', 'data-do': label.toLowerCase(),
      'aria-label': `${label} ${name}`, click: ({ currentTarget }) => act(currentTarget) }, label);
    this.#pause = button('Pause', it => pause(it, !this.#sink.is_paused));
    this.root = element('li', { class: 'sink', 'data-sink': name },
      element('header', {}, isolated('h3', {}, name), this.#kind, this.#state),
      this.#lag, this.#problem,
      element('div', { class: 'row', role: 'group', 'aria-label': `What to do with ${name}` },
        button('Test', test), this.#pause, button('Rewind', it => rewind(it, this.#sink.cursor))));
  }

  update(sink) {
    this.#sink = sink;
    this.#kind.textContent = sink.kind;
    this.#state.textContent = sink.state;
    this.#state.className = `badge ${BADGES[sink.state] ?? ''}`;
    this.#lag.textContent = lag(sink);
    this.#problem.replaceChildren(...sink.problem ? [isolated('span', {}, sink.problem)] : []);
    const label = sink.is_paused ? 'Resume' : 'Pause';
    this.#pause.textContent = label;
    this.#pause.dataset.do = label.toLowerCase();
    this.#pause.setAttribute('aria-label', `${label} ${sink.name}`);
  }
}

function lag(sink) {
  const since = sink.failing_since ? `; failing since ${clock(sink.failing_since)}` : '';
  if (sink.events_behind === 0) return `has every event, up to ${sink.cursor}${since}`;
  const events = sink.events_behind === 1 ? '1 event' : `${number(sink.events_behind)} events`;
  return `${events} and ${number(Math.round(sink.seconds_behind))} s behind, at event ${sink.cursor}${since}`;
}

/** Asks from where a sink is to send again. */
class Rewind {
  #dialog = document.getElementById('rewind');
  #after = document.getElementById('rewind-after');
  #answer = null;

  constructor() {
    this.#dialog.querySelector('form').addEventListener('submit', event => {
      event.preventDefault();
      this.#dialog.close(this.#after.value);
    });
    document.getElementById('rewind-cancel').addEventListener('click', () => this.#dialog.close(''));
    // Escape leaves the value of the last time.
    this.#dialog.addEventListener('cancel', () => { this.#dialog.returnValue = ''; });
    this.#dialog.addEventListener('close', () => {
      const { returnValue } = this.#dialog;
      this.#answer?.(returnValue === '' ? null : Number(returnValue));
    });
  }

  /** The id to go on after, or null. */
  ask(name, cursor) {
    document.getElementById('rewind-name').textContent = name;
    this.#after.value = 0;
    this.#after.max = cursor;
    this.#dialog.showModal();
    return new Promise(resolve => { this.#answer = resolve; });
  }
}
