// The addresses of the small overlays, on the page that sets overlays up.

import * as clock from './clock.js';
import { element } from './dom.js';
import * as events from './event-list.js';
import * as goal from './goal.js';
import * as hypeTrain from './hype-train.js';
import * as label from './label.js';
import * as poll from './poll.js';

/** By the name in the address: what it is called, and its module. */
export const SMALL_OVERLAYS = {
  goal: { name: 'Goal', module: goal },
  label: { name: 'Label', module: label },
  events: { name: 'Events', module: events },
  'hype-train': { name: 'Hype train', module: hypeTrain },
  poll: { name: 'Poll or prediction', module: poll },
  clock: { name: 'Clock', module: clock },
};

/** Makes a row for each, in `place`; `copy` handles clicks on its button. Returns what shows their addresses, made by `addressOf(overlay)`. */
export function smallLinks(place, copy) {
  const inputs = Object.entries(SMALL_OVERLAYS).map(([path, { name }]) => {
    const id = `${path}-address`;
    const input = element('input', { id, class: 'grows', readonly: true });
    place.append(element('label', { for: id }, name), element('div', { class: 'row' }, input,
      element('button', { class: 'main', type: 'button', 'data-copy': id, click: copy },
        'Copy', element('span', { class: 'unseen' }, ` the address of the overlay ${name}`))));
    return [path, input];
  });
  return addressOf => {
    for (const [path, input] of inputs) input.value = addressOf(path);
  };
}
