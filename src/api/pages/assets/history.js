// The history: a picture by day, and a row for each broadcast, with its timeline.

import { call, takeToken } from './api.js';
import { bars, curve, filled } from './curve.js';
import { element, isolated } from './dom.js';
import { day, duration, number } from './format.js';
import { TYPES, layout, timeline } from './timeline.js';
import { toast } from './toast.js';
import { seriesOf, viewerCurve } from './viewer-curve.js';

const $ = id => document.getElementById(id);
const PAGE = 20;
const DAYS = 60;
const DAY = 86_400_000;
/** Pages of the log that are read for one view at most. */
const MAX_PAGES = 5;

const METRICS = { followers: 'Followers', subscriptions: 'New subs', gifts: 'Gifts', bits: 'Bits', raids: 'Raids',
  messages: 'Messages', viewers: 'Average viewers' };

const COLUMNS = ['Started', 'Duration', 'Title', 'Followers', 'Subs', 'Renewals', 'Gifts', 'Bits', 'Raids', 'Redemptions', 'Messages', 'Viewers'];

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' });

const token = takeToken();
const ask = path => call(token, 'GET', path);
let older = null;
/** Whether events can be replayed. */
let isAdmin = false;

/** Shows why something is missing. */
async function attempt(action) {
  $('problem').textContent = '';
  try {
    await action();
  } catch (error) {
    $('problem').textContent = error.message;
  }
}

/** Days are in UTC, as the server counts them. */
async function showDays() {
  const metric = $('metric').value;
  const since = new Date((Math.floor(Date.now() / DAY) - DAYS + 1) * DAY).toISOString();
  const series = await ask(`/channels/${$('channel').value}/series?${new URLSearchParams({ metric, bucket: 'day', since })}`);
  const span = { since: Date.parse(series.since), until: Date.parse(series.until), step: DAY };
  $('bars').replaceChildren(
    element('figcaption', { class: 'quiet' }, `${METRICS[metric]} by day (UTC), the last ${DAYS} days`),
    ...bars(METRICS[metric], series.points, span, at => DATE.format(new Date(at))));
}

/** The events of the channel that a query selects, page after page, until one `isEnough`. */
async function eventsOf(query, isEnough = () => false) {
  const found = [];
  for (let [page, after] = [0, undefined]; page < MAX_PAGES && after !== null; page++) {
    const asked = new URLSearchParams({ channel: $('channel').value, limit: '100', ...query, ...after && { after } });
    const { data, next } = await ask(`/events?${asked}`);
    found.push(...data);
    after = data.some(isEnough) ? null : next;
  }
  return found;
}

/** The titles that the channel has had until then, newest first, back to one from before `since`. */
async function titles(since, until) {
  const isOlder = it => Date.parse(it.occurred_at) < Date.parse(since);
  const updates = await eventsOf({ type: 'channel.update', order: 'desc', until }, isOlder);
  return updates.filter(it => !it.is_test && it.payload.event?.title);
}

async function showBroadcasts() {
  const { data, next } = await ask(`/channels/${$('channel').value}/broadcasts?limit=${PAGE}${older ? `&after=${older}` : ''}`);
  const now = new Date().toISOString();
  const updates = data.length > 0 ? await titles(data.at(-1).started_at, data[0].ended_at ?? now) : [];
  const titleOf = it => updates.find(update => Date.parse(update.occurred_at) <= Date.parse(it.ended_at ?? now))?.payload.event.title ?? '';
  $('broadcasts').tBodies[0].append(...data.flatMap(it => rows(it, titleOf(it))));
  older = next;
  $('older').hidden = next === null;
  $('broadcasts').hidden = $('broadcasts').tBodies[0].rows.length === 0;
  $('no-broadcasts').hidden = !$('broadcasts').hidden;
}

/** The row of a broadcast, and the one that its timeline is in. */
function rows(broadcast, title) {
  const { totals } = broadcast;
  const viewers = totals.viewers_peak === null ? '' : `${number(totals.viewers_average)} (up to ${number(totals.viewers_peak)})`;
  const place = element('td', { colspan: COLUMNS.length });
  const details = element('tr', { class: 'timeline', id: `timeline-${broadcast.id}`, hidden: true }, place);
  const open = ({ currentTarget }) => {
    details.hidden = !details.hidden;
    currentTarget.setAttribute('aria-expanded', String(!details.hidden));
    if (!details.hidden && place.childElementCount === 0) attempt(() => showTimeline(place, broadcast));
  };
  const button = element('button', { type: 'button', class: 'small', 'aria-expanded': 'false', 'aria-controls': details.id, click: open },
    element('time', { datetime: broadcast.started_at }, day(broadcast.started_at)));
  const took = duration(broadcast.duration_seconds) + (broadcast.ended_at ? broadcast.is_end_estimated ? ' (estimated)' : '' : ', on now');
  const numbers = ['followers', 'subscriptions', 'resubscriptions', 'gifts', 'bits', 'raids', 'redemptions', 'messages']
    .map(name => number(totals[name]));
  return [element('tr', { 'data-broadcast': broadcast.id }, element('th', { scope: 'row' }, button), element('td', {}, took),
    isolated('td', {}, title), ...[...numbers, viewers].map(text => element('td', {}, text))), details];
}

/** Sends an event to the live feeds once more. */
function replay({ id, text }) {
  return call(token, 'POST', `/events/${id}/replay`).then(() => toast(`Replayed: ${text}`), error => toast(error.message, true));
}

async function showTimeline(place, broadcast) {
  const now = Date.now();
  const { query, span } = seriesOf(broadcast, now);
  const series = metric => ask(`/channels/${broadcast.channel_id}/series?${new URLSearchParams({ ...Object.fromEntries(query), metric })}`);
  const until = broadcast.ended_at ?? new Date(now).toISOString();
  const [events, messages, viewers] = await Promise.all([eventsOf({ type: TYPES.join(','), since: broadcast.started_at, until }), series('messages'), series('viewers')]);
  const picture = (...children) => element('figure', { class: 'picture' }, ...children);
  place.replaceChildren(
    picture(...timeline(layout(broadcast, events, now), isAdmin ? replay : null)),
    picture(element('figcaption', { class: 'quiet' }, `Chat messages by the ${query.get('bucket')}`),
      ...curve('Messages', filled(messages.points, span), span)),
    ...viewers.points.length > 0 ? [picture(...viewerCurve(broadcast, viewers.points, span))] : []);
}

function show() {
  older = null;
  $('broadcasts').tBodies[0].replaceChildren();
  return attempt(() => Promise.all([showDays(), showBroadcasts()]));
}

async function start() {
  isAdmin = (await ask('/tokens/current').catch(() => ({}))).scope === 'admin';
  for (let after = ''; after !== null;) {
    const { data, next } = await ask(`/channels?limit=100${after && `&after=${after}`}`);
    $('channel').append(...data.map(it => new Option(it.display_name, it.id)));
    after = next;
  }
  if ($('channel').length > 0) return show();
  $('no-broadcasts').hidden = false;
}

$('metric').append(...Object.entries(METRICS).map(([value, name]) => new Option(name, value)));
$('broadcasts').tHead.append(element('tr', {}, ...COLUMNS.map(name => element('th', { scope: 'col' }, name))));
$('channel').addEventListener('input', show);
$('metric').addEventListener('input', () => attempt(showDays));
$('older').addEventListener('click', () => attempt(showBroadcasts));
if (token) attempt(start);
else $('problem').textContent = 'Sign in on the dashboard first.';
