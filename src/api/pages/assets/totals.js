// What happened during a broadcast, in numbers.

import { element } from './dom.js';
import { number } from './format.js';

/** The type of a sample of the number of viewers. */
export const SAMPLE = 'showtime.stream.viewers';

/** The shown totals and their names, and the types of events that change them. */
const TOTALS = {
  followers: ['Followers', 'channel.follow'],
  subscriptions: ['New subs', 'channel.subscribe'],
  resubscriptions: ['Renewals', 'channel.subscription.message'],
  gifts: ['Gifts', 'channel.subscription.gift'],
  bits: ['Bits', 'channel.cheer'],
  raids: ['Raids', 'channel.raid'],
  redemptions: ['Redemptions', 'channel.channel_points_custom_reward_redemption.add'],
  messages: ['Messages', 'channel.chat.message'],
  viewers_average: ['Average viewers', SAMPLE],
  viewers_peak: ['Most viewers', SAMPLE],
};

const COUNTED = new Set(Object.values(TOTALS).map(([, type]) => type));

/** Whether an event may change totals. */
export const isCounted = event => COUNTED.has(event.type) && !event.is_test && !event.is_replay;

/**
 * The tiles of a broadcast, each with the difference to the one before, if there is one. What is not known has none; so do the viewers
 * now, if that is null.
 */
export function tiles(broadcast, before, viewers) {
  const tile = ([key, [name]]) => {
    const [value, last] = [broadcast.totals[key], before?.totals[key]];
    if (value === null) return null;
    return element('div', { 'data-total': key }, element('dt', {}, name), element('dd', {}, number(value)),
      last === undefined || last === null ? null
        : element('dd', { class: 'quiet', title: `${number(last)} in the stream before` }, difference(value - last)));
  };
  const now = viewers === null ? null
    : element('div', { 'data-total': 'viewers_now' }, element('dt', {}, 'Viewers now'), element('dd', {}, number(viewers)));
  return [now, ...Object.entries(TOTALS).map(tile)].filter(Boolean);
}

/** `+12`, `−3` or `±0`. */
function difference(value) {
  const sign = value > 0 ? '+' : value < 0 ? '−' : '±';
  return sign + number(Math.abs(value));
}
