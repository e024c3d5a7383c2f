// The kinds of events that people tell apart, each with its label, its sign and the types of events that belong to it.

import { element } from './dom.js';

/** In the order of their buttons. `types` are the patterns of the API; the last kind has all that no other one has. */
const KINDS = [
  { name: 'follows', label: 'Follows', sign: '♥', types: ['channel.follow'] },
  { name: 'subs', label: 'Subs', sign: '★', types: ['channel.subscribe', 'channel.subscription.*'] },
  { name: 'bits', label: 'Bits', sign: '◆', types: ['channel.cheer', 'channel.bits.*', 'channel.custom_power_up_redemption.*'] },
  { name: 'raids', label: 'Raids', sign: '➤', types: ['channel.raid'] },
  { name: 'points', label: 'Points', sign: '●', types: ['channel.channel_points_custom_reward.*',
    'channel.channel_points_custom_reward_redemption.*', 'channel.channel_points_automatic_reward_redemption.*'] },
  { name: 'chat', label: 'Chat', sign: '…', types: ['channel.chat.*', 'showtime.chat.*'], isOff: true },
  { name: 'others', label: 'Others', sign: '·', types: [] },
];
const OTHERS = KINDS.at(-1);

const STORED = 'showtime.kinds';

const isOf = (type, pattern) => pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;

/** The kind of an event of this type. */
export const kindOf = type => KINDS.find(kind => kind.types.some(pattern => isOf(type, pattern))) ?? OTHERS;

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

  isChosen(event) {
    return !this.#hidden.has(kindOf(typeOf(event)).name);
  }

  /** What the API is asked for: the patterns of the types of the chosen kinds. */
  patterns() {
    const of = isHidden => KINDS.filter(kind => this.#hidden.has(kind.name) === isHidden).flatMap(kind => kind.types);
    if (this.#hidden.has(OTHERS.name)) return ['-*', ...of(false)];
    return ['*', ...of(true).map(pattern => `-${pattern}`)];
  }

  #switch(name, button) {
    if (!this.#hidden.delete(name)) this.#hidden.add(name);
    button.setAttribute('aria-pressed', String(!this.#hidden.has(name)));
    localStorage.setItem(STORED, JSON.stringify([...this.#hidden]));
    this.onChange();
  }
}

/** The type of an event; that of its message, if it has none. */
export const typeOf = ({ type, message_type }) => type ?? message_type;

function stored() {
  try {
    const names = JSON.parse(localStorage.getItem(STORED));
    return Array.isArray(names) ? names : null;
  } catch {
    return null;
  }
}
