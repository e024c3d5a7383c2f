// Draws curves and bars. The numbers stand in a table below them, too.

import { element } from './dom.js';
import { clock, number } from './format.js';

const SVG = 'http://www.w3.org/2000/svg';
/** The size of a drawing, in its own units. */
export const [WIDTH, HEIGHT] = [600, 80];
/** Rows that a table has at most. */
const MAX_ROWS = 30;

const highest = points => points.reduce((max, { value }) => Math.max(max, value), 0);

/** Where a time is between `since` and `until` (milliseconds). */
export const placeOf = (at, { since, until }) => (Date.parse(at) - since) / Math.max(until - since, 1) * WIDTH;

/**
 * The path of points `{at, value}`, oldest first, in a box as wide as from `since` to `until` (milliseconds) and as high as
 * from 0 to `max`. It is broken where the next point is more than one and a half `step`s away.
 */
export function path(points, { since, until, step, max }) {
  const place = ({ at, value }) => [placeOf(at, { since, until }), HEIGHT - value / Math.max(max, 1) * HEIGHT]
    .map(it => it.toFixed(1)).join(' ');
  const isFar = (point, before) => !before || Date.parse(point.at) - Date.parse(before.at) > 1.5 * step;
  const parts = points.map((point, index) => (isFar(point, points[index - 1]) ? 'M' : 'L') + place(point)
    // A point alone is a dot.
    + (isFar(point, points[index - 1]) && (!points[index + 1] || isFar(points[index + 1], point)) ? 'h0' : ''));
  return parts.join('');
}

/** The path of bars, in the same box. Each is as wide as four fifths of a `step`. */
export function barsPath(points, { since, until, step, max }) {
  const width = (step / Math.max(until - since, 1) * WIDTH * 0.8).toFixed(1);
  return points.map(({ at, value }) => {
    const height = (value / Math.max(max, 1) * HEIGHT).toFixed(1);
    return `M${placeOf(at, { since, until }).toFixed(1)} ${HEIGHT}v-${height}h${width}v${height}z`;
  }).join('');
}

/** A point for each `step`: 0 where there is none. */
export function filled(points, { since, until, step }) {
  const known = new Map(points.map(({ at, value }) => [Date.parse(at), value]));
  const begin = Math.floor(since / step) * step;
  return Array.from({ length: Math.max(1, Math.ceil((until - begin) / step)) }, (_, index) => begin + index * step)
    .map(at => ({ at: new Date(at).toISOString(), value: known.get(at) ?? 0 }));
}

/**
 * The curve of points over other `shapes`, and their table. `name` says what it shows; `span` is `{since, until, step}`; `columns` are
 * those of the table beside the time: of each the name, and a function from a point to a text.
 */
export function curve(name, points, span, { shapes = [], columns = undefined, maxRows = MAX_ROWS } = {}) {
  const max = highest(points);
  const line = shape('path', { class: 'line', d: path(points, { ...span, max }) });
  return [drawing(name, max, ...shapes, line), ...table(name, points, clock, columns, maxRows)];
}

/** The bars of points, and their table, in which `when` formats the times. */
export function bars(name, points, span, when) {
  const max = highest(points);
  return [drawing(name, max, shape('path', { class: 'bars', d: barsPath(points, { ...span, max }) })), ...table(name, points, when)];
}

function drawing(name, max, ...shapes) {
  const made = shape('svg', { preserveAspectRatio: 'none', viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, role: 'img', 'aria-label': `${name}, at most ${number(max)}` });
  made.append(...shapes);
  return made;
}

function table(name, points, when, columns = { [name]: ({ value }) => number(value) }, maxRows = MAX_ROWS) {
  const every = Math.ceil(points.length / maxRows);
  const rows = points.filter((_, index) => every <= 1 || index % every === 0).map(point =>
    element('tr', {}, element('td', {}, element('time', { datetime: point.at }, when(point.at))),
      ...Object.values(columns).map(cell => element('td', {}, cell(point)))));
  const made = element('table', {},
    element('thead', {}, element('tr', {}, ...['Time', ...Object.keys(columns)].map(it => element('th', { scope: 'col' }, it)))),
    element('tbody', {}, ...rows));
  return [element('details', {}, element('summary', {}, `${name} as a table`),
    element('div', { class: 'scrolls', tabindex: '0', role: 'region', 'aria-label': `${name} as a table` }, made))];
}

/** An element of a drawing. */
export function shape(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
