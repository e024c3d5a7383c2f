// The kinds of events that people tell apart, each with its label, its sign and the types of events that belong to it.

import { element } from './dom.js';

/** In the order of their buttons; an event is of the first kind that has its type. */
const KINDS = [
  { name: 'follows', label: 'Follows', sign: '♥', types: /^channel\.follow$/ },
  { name: 'subs', label: 'Subs', sign: '★', types: /^channel\.subscri/ },
  { name: 'bits', label: 'Bits', sign: '◆', types: /^channel\.(cheer|bits)/ },
  { name: 'raids', label: 'Raids', sign: '➤', types: /^channel\.raid$/ },
  { name: 'points', label: 'Points', sign: '●', types: /^channel\.channel_points_/ },
  { name: 'chat', label: 'Chat', sign: '…', types: /^(channel|showtime)\.chat/, isOff: true },
  { name: 'others', label: 'Others', sign: '·', types: /^/ },
];

const STORED = 'showtime.kinds';

/** The kind of an event of this type. */
export const kindOf = type => KINDS.find(kind => kind.types.test(type));

/** The buttons that choose what is shown. The browser remembers the choice. */
export class KindButtons {
  /** Called when the choice changes. */
  onChange = () => {};
  #hidden = new Set(stored() ?? KINDS.filter(kind => kind.isOff).map(kind => kind.name));

  constructor(place) {
    place.replaceChildren(...KINDS.map(({ name, label }) => element('button', {
      type: 'button', class: 'small', 'data-kind': name, 'aria-pressed': String(!this.#hidden.has(name)),
      click: ({ currentTarget }) => this.#switch(name, currentTarget),
    }, label)));
  }

  isShown(name) {
    return !this.#hidden.has(name);
  }

  #switch(name, button) {
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    button.setAttribute('aria-pressed', String(this.isShown(name)));
    localStorage.setItem(STORED, JSON.stringify([...this.#hidden]));
    this.onChange();
  }
}

function stored() {
  try {
    const names = JSON.parse(localStorage.getItem(STORED));
    return Array.isArray(names) ? names : null;
  } catch {
    return null;
  }
}
