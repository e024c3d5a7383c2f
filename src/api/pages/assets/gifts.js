// Gifts of many subscriptions: Twitch tells of the gift, and of each subscription that was given. They are one row.

/** How far apart the events of one gift may be, in milliseconds. */
const SPAN = 60_000;

const GIFT = 'channel.subscription.gift';

/** Whether an event tells of a subscription that was given. */
const isGiven = ({ type, payload }) => type === 'channel.subscribe' && payload.event?.is_gift === true;

const isOf = (gift, given) => gift.event.channel_id === given.channel_id && gift.event.payload.event?.tier === given.payload.event?.tier
  && Math.abs(Date.parse(gift.event.occurred_at) - Date.parse(given.occurred_at)) < SPAN;

/**
 * Joins a new row with those that are there. `rows` are `{event, given, hide(), show(names)}`, newest first; `given` are the
 * subscriptions of a gift's row, and null of every other one. Returns whether the new row is part of another one.
 */
export function join(row, rows) {
  const { event } = row;
  if (event.is_replay) return false;
  if (isGiven(event)) {
    const gift = rows.find(it => it.given && !it.event.is_replay && it.given.length < total(it) && isOf(it, event));
    if (gift) add(gift, event);
    return Boolean(gift);
  }
  if (event.type === GIFT) {
    row.given = [];
    for (const it of rows.filter(it => !it.isJoined && !it.event.is_replay && isGiven(it.event) && isOf(row, it.event)).slice(0, total(row))) {
      it.isJoined = true;
      it.hide();
      add(row, it.event);
    }
  }
  return false;
}

const total = ({ event }) => event.payload.event?.total ?? 0;

function add(gift, event) {
  // A list that is loaded has the last subscription first.
  gift.given = [...gift.given, event].sort((a, b) => a.id - b.id);
  gift.show(gift.given.map(({ payload: { event: { user_name, user_login } } }) => user_name ?? user_login ?? ''));
}
