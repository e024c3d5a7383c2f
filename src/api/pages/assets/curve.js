// Draws a curve. The numbers stand in a table below it, too.

import { element } from './dom.js';
import { clock, number } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The size of a drawing, in its own units. */
const [WIDTH, HEIGHT] = [600, 80];
/** Rows that a table has at most. */
const MAX_ROWS = 30;

/**
 * The path of points `{at, value}`, oldest first, in a box as wide as from `since` to `until` (milliseconds) and as high as
 * from 0 to `max`. It is broken where the next point is more than one and a half `step`s away.
 */
export function path(points, { since, until, step, max }) {
  const place = ({ at, value }) => [(Date.parse(at) - since) / Math.max(until - since, 1) * WIDTH, HEIGHT - value / Math.max(max, 1) * HEIGHT]
    .map(it => it.toFixed(1)).join(' ');
  const isFar = (point, before) => !before || Date.parse(point.at) - Date.parse(before.at) > 1.5 * step;
  const parts = points.map((point, index) => (isFar(point, points[index - 1]) ? 'M' : 'L') + place(point)
    // A point alone is a dot.
    + (isFar(point, points[index - 1]) && (!points[index + 1] || isFar(points[index + 1], point)) ? 'h0' : ''));
  return parts.join('');
}

/** The curve of points, and their table. `name` says what it shows; `span` is `{since, until, step}`. */
export function curve(name, points, span) {
  const max = points.reduce((max, { value }) => Math.max(max, value), 0);
  const drawing = shape('svg', { preserveAspectRatio: 'none', viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, role: 'img', 'aria-label': `${name}, at most ${number(max)}` });
  drawing.append(shape('path', { d: path(points, { ...span, max }) }));
  const every = Math.ceil(points.length / MAX_ROWS);
  const rows = points.filter((_, index) => index % every === 0).map(({ at, value }) =>
    element('tr', {}, element('td', {}, element('time', { datetime: at }, clock(at))), element('td', {}, number(value))));
  const table = element('table', {},
    element('thead', {}, element('tr', {}, element('th', { scope: 'col' }, 'Time'), element('th', { scope: 'col' }, name))),
    element('tbody', {}, ...rows));
  return [drawing, element('details', {}, element('summary', {}, `${name} as a table`),
    element('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': `${name} as a table` }, table))];
}

function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
