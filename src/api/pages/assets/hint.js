// What an overlay says about itself when it can't work. Small, since it may be on air.

import { element } from './dom.js';

const MAKE = 'cargo run --bin token create';

/** Shows these lines, or nothing if there are none. */
export function hint(lines) {
  const place = document.getElementById('hint');
  place.replaceChildren(...lines.map(line => element('p', {}, line)));
  place.hidden = lines.length === 0;
}

/** What to say about settings that are wrong. */
export function aboutSettings(problems) {
  return problems.map(({ name, message }) => `${name}: ${message}`);
}

export const NO_TOKEN = `showtime: no token. End the address with #token=… (${MAKE} makes one).`;

/** What to say when the server has refused the feed. */
export function aboutRefusal({ status, detail }) {
  const what = { 401: 'the token is not accepted', 403: 'the token may not read' }[status] ?? 'refused';
  return `showtime: ${what} (${status}): ${detail}`;
}
