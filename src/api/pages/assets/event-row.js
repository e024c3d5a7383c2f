// The row of an event.

import { amountOf, parts } from './amount.js';
import { DIRECTION_CONTROLS, element, isolated } from './dom.js';
import { kindOf, typeOf } from './event-kinds.js';
import { ago, clock, moment } from './format.js';
import { attempt } from './toast.js';

export class EventRow {
  /** The events of the subscriptions that were given, if this one tells of their gift. */
  given = null;
  #time; #names = element('span', { class: 'names quiet', hidden: true });
  #channel = isolated('span', { class: 'chip', hidden: true });

  constructor(ask, event) {
    const type = typeOf(event);
    const kind = kindOf(type);
    this.event = event;
    const marks = [event.is_test && 'test', event.is_replay && 'replay', event.repeats && 'repeat',
      !['notification', 'inferred', 'irc'].includes(event.message_type) && event.message_type].filter(Boolean);
    const payload = element('pre', { tabindex: '0', role: 'region', 'aria-label': `Payload of event ${event.id}` });
    const open = () => { payload.textContent ||= json(event.payload); };
    this.replay = element('button', { type: 'button', class: 'small replay', 'aria-label': `Replay event ${event.id}, ${type}`,
      click: ({ currentTarget }) => attempt(currentTarget,
        () => ask('POST', `/events/${event.id}/replay`), `Replayed event ${event.id} to the live feeds`) }, 'Replay');
    this.#time = element('time', { datetime: event.occurred_at, title: moment(event.occurred_at) });
    this.summary = element('summary', {},
      element('span', { class: 'sign', 'aria-hidden': 'true', 'data-kind': kind.name }, kind.sign),
      // English, whatever it names first.
      element('span', { class: 'who', dir: 'ltr' }, ...emphasized(event)),
      this.#channel,
      ...marks.map(mark => element('span', { class: 'badge' }, mark)),
      this.#names, this.#time);
    this.root = element('li', { class: 'event', 'data-event': event.id, 'data-type': type },
      element('details', { toggle: open }, this.summary,
        element('p', { class: 'row' }, element('code', { class: 'grows' }, `${type} · ${clock(event.occurred_at)} · ${event.id}`), this.replay),
        payload));
    this.tick(Date.now());
  }

  /** Says of which channel it is; null if that need not be said. */
  set channel(name) {
    this.#channel.hidden = name === null;
    this.#channel.textContent = (name ?? '').replace(DIRECTION_CONTROLS, '');
  }

  /** What the filter looks for a word in. */
  get searched() {
    return `${typeOf(this.event)} ${this.event.text} ${this.#channel.textContent}`.toLowerCase();
  }

  /** Shows who got subscriptions. */
  show(names) {
    this.#names.hidden = false;
    this.#names.replaceChildren('to ', isolated('span', {}, names.join(', ')));
  }

  hide() {
    this.root.remove();
  }

  tick(now) {
    this.#time.textContent = ago((now - Date.parse(this.event.occurred_at)) / 1000);
  }
}

/** The sentence of an event, in which its amount stands out. */
function emphasized({ text, payload }) {
  const [before, amount, after] = parts(text.replace(DIRECTION_CONTROLS, ''), amountOf(payload.event ?? {}));
  return amount === undefined ? [before] : [before, element('b', {}, amount), after];
}

/** The payload as JSON, in which the characters that turn the direction of text are escaped. */
function json(payload) {
  const escape = character => `\\u${character.charCodeAt(0).toString(16)}`;
  return JSON.stringify(payload, null, 2).replace(DIRECTION_CONTROLS, escape);
}
