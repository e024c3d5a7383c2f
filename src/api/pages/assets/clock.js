// The overlay that shows how long the stream is on, how long it is until a time, or how many watch.

import { element, isolated } from './dom.js';
import { countdown, number } from './format.js';

export const title = 'Clock';

const SHOWS = ['uptime', 'countdown', 'viewers'];
/** For how long a sample counts as the number of viewers now. */
const FRESH_MS = 3 * 60_000;

/** `show` chooses; `to` is the time of a countdown; `text` stands before it. */
export function settings(read) {
  const show = read.choice('show', SHOWS);
  const to = read.time('to');
  if (show === 'countdown' && to === null) read.require('to', 'a countdown needs a time, such as 20:15 or 2026-07-01T20:15Z');
  return { show, to, text: read.text('text') };
}

export const types = () => ['online', 'offline'];

export function view(alerts, { show, to, text }, now, viewers) {
  const value = { uptime: () => uptime(alerts, now), countdown: () => left(to, now), viewers: () => current(viewers, now) }[show]();
  return value === null ? null : { text, value };
}

export const render = ({ text, value }) =>
  [element('p', {}, text ? isolated('span', {}, `${text} `) : null, element('span', { class: 'time' }, value))];

/** The sample that counts, of the channel, or of the first of several. */
export async function load({ show, channel }, ask, now) {
  if (show !== 'viewers' || !channel) return null;
  const query = new URLSearchParams({ metric: 'viewers', bucket: 'minute', since: new Date(now - FRESH_MS).toISOString() });
  const { points } = await ask(`/channels/${encodeURIComponent(channel.split(',')[0].trim())}/series?${query}`);
  return points.at(-1) ?? null;
}

/** Since the stream began; nothing while the channel is offline. */
function uptime(alerts, now) {
  const last = alerts.at(-1);
  return last?.type === 'online' ? countdown(Math.max(0, Math.floor((now - Date.parse(last.started_at)) / 1000))) : null;
}

const left = (to, now) => to !== null && to > now ? countdown(Math.ceil((to - now) / 1000)) : null;

const current = (viewers, now) => viewers && now - Date.parse(viewers.at) < FRESH_MS + 60_000 ? number(viewers.value) : null;
