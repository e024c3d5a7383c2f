// The list of events.

import { DIRECTION_CONTROLS, element } from './dom.js';
import { attempt } from './toast.js';
import { clock } from './format.js';
import { SAMPLE } from './totals.js';

/** Events shown at most; older ones are removed. */
const MAX_SHOWN = 200;

export class Events {
  #ask;
  #list = document.getElementById('event-list');
  #note = document.getElementById('events-note');
  #filter = document.getElementById('filter');
  #button = document.getElementById('pause');
  #waiting = null;

  constructor(ask) {
    this.#ask = ask;
    this.#filter.addEventListener('input', () => this.#applyFilter());
    this.#button.addEventListener('click', () => this.#pause());
    this.#showNote();
  }

  clear() {
    this.#list.replaceChildren();
    this.#waiting &&= [];
    this.#showNote();
  }

  /** Shows an event. Samples come each minute, and are in the curve. */
  add(event) {
    if (event.type === SAMPLE) return;
    if (this.#waiting === null) {
      this.#show(event);
    } else {
      this.#waiting.push(event);
      if (this.#waiting.length > MAX_SHOWN) this.#waiting.shift();
    }
    this.#showNote();
  }

  #pause() {
    const waiting = this.#waiting;
    this.#waiting = waiting === null ? [] : null;
    this.#button.setAttribute('aria-pressed', String(waiting === null));
    this.#button.textContent = waiting === null ? 'Resume' : 'Pause';
    for (const event of waiting ?? []) this.#show(event);
    this.#showNote();
  }

  #showNote() {
    const waiting = this.#waiting;
    if (waiting !== null) this.#note.textContent = `Paused; ${waiting.length} more events wait.`;
    else this.#note.textContent = this.#list.children.length > 0 ? '' : 'None yet.';
  }

  #show(event) {
    const item = this.#item(event);
    item.hidden = !this.#matchesFilter(item);
    this.#list.prepend(item);
    while (this.#list.children.length > MAX_SHOWN) this.#list.lastElementChild.remove();
  }

  #item(event) {
    const name = event.type ?? event.message_type;
    const marks = [event.is_test && 'test', event.is_replay && 'replay', event.repeats && 'repeat',
      event.message_type !== 'notification' && event.message_type];
    const payload = element('pre', { tabindex: '0', role: 'region', 'aria-label': `Payload of event ${event.id}` });
    const open = () => { payload.textContent ||= json(event.payload); };
    const replay = ({ currentTarget }) => attempt(currentTarget,
      () => this.#ask('POST', `/events/${event.id}/replay`), `Replayed event ${event.id} to the live feeds`);
    return element('li', { class: 'event', 'data-event': event.id, 'data-type': name },
      element('details', { toggle: open },
        element('summary', {},
          element('time', { datetime: event.occurred_at }, clock(event.occurred_at)),
          element('code', {}, name), ' ', element('span', { class: 'who' }, event.text),
          ...marks.filter(Boolean).map(mark => element('span', { class: 'badge' }, mark))),
        payload),
      element('button', { type: 'button', class: 'small replay', 'aria-label': `Replay event ${event.id}, ${name}`, click: replay },
        'Replay'));
  }

  #applyFilter() {
    for (const item of this.#list.children) item.hidden = !this.#matchesFilter(item);
  }

  #matchesFilter(item) {
    return item.querySelector('summary').textContent.toLowerCase().includes(this.#filter.value.trim().toLowerCase());
  }
}

/** The payload as JSON, in which the characters that turn the direction of text are escaped. */
function json(payload) {
  const escape = character => `\\u${character.charCodeAt(0).toString(16)}`;
  return JSON.stringify(payload, null, 2).replace(DIRECTION_CONTROLS, escape);
}
