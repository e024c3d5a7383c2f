// The timeline of a broadcast: its segments as bands, and what stood out as marks.

import { HEIGHT, WIDTH, placeOf, shape } from './curve.js';
import { element, isolated } from './dom.js';
import { clock } from './format.js';

/** Gifts of this many subscriptions stand out. */
const GIFT_BOMB = 5;
const BAND = 20;

/** The types of the events that a timeline shows. */
export const TYPES = ['channel.raid', 'channel.hype_train.begin', 'channel.subscription.gift', 'channel.update'];

const standsOut = ({ type, payload, repeats, is_test }) => repeats === null && !is_test
  && (type !== 'channel.subscription.gift' || payload.event?.total >= GIFT_BOMB);

/** What is drawn, oldest first: `{kind, id, at, text, x, width}`; `kind` is `band`, `mark` or `tick`; a band has no `id`. */
export function layout({ started_at, ended_at, segments }, events, now) {
  const span = { since: Date.parse(started_at), until: ended_at ? Date.parse(ended_at) : now };
  const place = at => Math.min(Math.max(placeOf(at, span), 0), WIDTH);
  const bands = segments.map(it => ({ kind: 'band', at: it.started_at, text: it.title, x: place(it.started_at),
    width: place(it.ended_at ?? new Date(span.until).toISOString()) - place(it.started_at) }));
  const marks = events.filter(standsOut).map(it => ({ kind: it.type === 'channel.update' ? 'tick' : 'mark', id: it.id,
    at: it.occurred_at, text: it.text, x: place(it.occurred_at), width: 0 }));
  return [...bands, ...marks].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}

/** The path of an item. */
export function pathOf({ kind, x, width }) {
  const at = x.toFixed(1);
  if (kind === 'band') return `M${at} ${HEIGHT - BAND}h${width.toFixed(1)}v${BAND}h-${width.toFixed(1)}z`;
  return kind === 'tick' ? `M${at} ${HEIGHT - BAND}v-${BAND}` : `M${at} 0v${HEIGHT - BAND}`;
}

/**
 * The drawing, the line that tells what has the focus or the pointer, and a list of the same. With `replay(item)`, a click on an event
 * calls it, and so do Enter and Space.
 */
export function timeline(items, replay = null) {
  const help = replay ? ' A click or Enter replays the event to the live feeds, overlays included.' : '';
  const told = element('p', { class: 'quiet told', role: 'status' }, `Point at a mark, or go there with Tab.${help}`);
  const drawing = shape('svg', { preserveAspectRatio: 'none', viewBox: `0 -2 ${WIDTH} ${HEIGHT + 4}`, role: 'group', 'aria-label': 'Timeline' });
  drawing.append(...items.map(item => {
    const label = `${clock(item.at)} ${item.text}`;
    const canReplay = replay && item.id !== undefined;
    const group = shape('g', { tabindex: '0', role: canReplay ? 'button' : 'img', 'aria-label': canReplay ? `Replay: ${label}` : label });
    if (canReplay) {
      group.addEventListener('click', () => replay(item));
      group.addEventListener('keydown', event => {
        if (![' ', 'Enter'].includes(event.key)) return;
        event.preventDefault();
        replay(item);
      });
    }
    group.append(shape('path', { class: item.kind, d: pathOf(item) }));
    for (const name of ['focus', 'pointerenter']) group.addEventListener(name, () => told.replaceChildren(...line(item)));
    return group;
  }));
  return [drawing, told, element('details', {}, element('summary', {}, 'Timeline as a list'),
    element('ol', { class: 'list' }, ...items.map(item => element('li', {}, ...line(item)))))];
}

const line = ({ at, text }) => [element('time', { datetime: at }, clock(at)), ' ', isolated('span', {}, text)];
