// How long messages took to arrive in the last 24 hours, and what did not work meanwhile.

import { WIDTH, bars, curve, placeOf, shape } from './curve.js';
import { element } from './dom.js';
import { clock, day, duration } from './format.js';
import { pathOf } from './timeline.js';

const EVERY_MS = 5 * 60_000;

/** What the parts of an outage are called. */
const PARTS = { database: 'Database', feeds: 'Live feeds', subscriptions: 'Subscriptions', websocket: 'WebSocket', server: 'Server' };

const COLUMNS = {
  'Half within': it => seconds(it.median_seconds), '95 of 100 within': it => seconds(it.p95_seconds), Slowest: it => seconds(it.worst_seconds),
};

const seconds = value => value < 60 ? `${value.toFixed(value < 10 ? 2 : 0)} s` : duration(value);

/** The time that the pictures show, `{since, until, step}`. */
export const spanOf = ({ since, until, span_seconds }) =>
  ({ since: Date.parse(since), until: Date.parse(until), step: span_seconds * 1000 });

/** The lag that 95 of 100 messages did not exceed, in seconds, by span. */
export const lags = ({ delivery }) => delivery.map(it => ({ ...it, value: it.p95_seconds }));

/** Messages per minute by span, to one decimal; the last span has begun only. */
export const rates = ({ delivery, span_seconds, sampled_every }, now) => delivery.map(({ at, messages }) => {
  const minutes = Math.min(span_seconds, Math.max(60, (now - Date.parse(at)) / 1000)) / 60;
  return { at, value: Math.round(messages * sampled_every / minutes * 10) / 10 };
});

/** The bands of outages, as far as they are in the span. */
export function bands(outages, span, now) {
  const place = at => Math.min(Math.max(placeOf(at, span), 0), WIDTH);
  return outages.map(({ began_at, ended_at }) => {
    const x = place(began_at);
    return { kind: 'band', x, width: Math.max(place(ended_at ?? new Date(now).toISOString()) - x, 1) };
  });
}

export class DeliveryHistory {
  #ask; #place = document.getElementById('delivery');

  constructor(ask) {
    this.#ask = ask;
  }

  start() {
    this.#load();
    setInterval(() => document.hidden || this.#load(), EVERY_MS);
  }

  /** An answer that fails leaves what is there; the connection's badge shows the failure. */
  async #load() {
    const history = await this.#ask('GET', '/status/history').catch(() => null);
    if (history) this.#show(history, Date.now());
  }

  #show(history, now) {
    const [span, { outages }] = [spanOf(history), history];
    const isOpen = [...this.#place.querySelectorAll('details')].map(it => it.open);
    const shapes = bands(outages, span, now).map(band => shape('path', { class: 'band', d: pathOf(band) }));
    const picture = (caption, ...children) => element('figure', { class: 'picture' }, element('figcaption', { class: 'quiet' }, caption), ...children);
    this.#place.replaceChildren(
      picture('Delivery of Twitch’s messages in the last 24 hours: seconds that 95 of 100 did not exceed; outages as bands',
        ...curve('Delivery in seconds', lags(history), span, { shapes, columns: COLUMNS, maxRows: Infinity })),
      picture('Messages per minute', ...bars('Messages per minute', rates(history, now), span, clock)),
      element('details', {}, element('summary', {}, `Outages (${outages.length})`),
        element('ul', { class: 'list' }, ...outages.map(it => line(it, now)))));
    [...this.#place.querySelectorAll('details')].forEach((it, index) => { it.open = isOpen[index] ?? false; });
  }
}

function line({ part, channel_id, began_at, ended_at, cause }, now) {
  const took = seconds(((ended_at ? Date.parse(ended_at) : now) - Date.parse(began_at)) / 1000);
  return element('li', {}, element('time', { datetime: began_at }, day(began_at)),
    ` · ${PARTS[part] ?? part}${channel_id ? ` of channel ${channel_id}` : ''} · ${took}${ended_at ? '' : ' until now'}: ${cause}`);
}
