// The addresses of the small overlays, on the page that sets overlays up.

import { element } from './dom.js';
import { LABELS } from './label.js';

/** By the name in the address: what it is called, and the choice that it has, `[setting, values]`. */
const OVERLAYS = {
  goal: { name: 'Goal' },
  label: { name: 'Label', choice: ['of', Object.keys(LABELS)] },
  events: { name: 'Events' },
  'hype-train': { name: 'Hype train' },
  poll: { name: 'Poll or prediction' },
  clock: { name: 'Clock', choice: ['show', ['uptime', 'viewers']] },
};

/** Makes a row for each, in `place`; `copy` handles clicks on its button. Returns what shows their addresses. */
export function smallLinks(place, copy) {
  const rows = Object.entries(OVERLAYS).map(([path, { name, choice }]) => {
    const id = `${path}-address`;
    const input = element('input', { id, class: 'grows', readonly: true });
    const select = choice && element('select', { 'aria-label': `${name} shows`, input: () => show() });
    select?.append(...choice[1].map(value => new Option(value, value)));
    place.append(element('label', { for: id }, name), element('div', { class: 'row' }, select ? element('div', { class: 'narrow' }, select) : null, input,
      element('button', { class: 'main', type: 'button', 'data-copy': id, click: copy },
        'Copy', element('span', { class: 'unseen' }, ` the address of the overlay ${name}`))));
    return { path, input, select, setting: choice?.[0] };
  });
  let [addressOf, channel] = [null, ''];
  const show = () => {
    for (const { path, input, select, setting } of rows) {
      const given = new URLSearchParams();
      if (channel) given.set('channel', channel);
      if (select && select.selectedIndex > 0) given.set(setting, select.value);
      input.value = addressOf(path, given);
    }
  };
  return (address, chosen) => {
    [addressOf, channel] = [address, chosen];
    show();
  };
}
