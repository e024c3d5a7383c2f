// How many viewers a broadcast has had.

import { element } from './dom.js';
import { number } from './format.js';
import { curve } from './curve.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
/** Points that a series has at most. */
const MAX_POINTS = 1_500;
/** For how long a sample counts as the number of viewers now. */
const NOW = 3 * MINUTE;

/** What `GET /channels/{channel}/series` is asked for, and how far apart its points are. */
export function seriesOf({ started_at, ended_at }, now) {
  const [since, until] = [Date.parse(started_at), ended_at ? Date.parse(ended_at) : now];
  const [bucket, step] = (until - since) / MINUTE < MAX_POINTS - 1 ? ['minute', MINUTE] : ['hour', HOUR];
  const query = new URLSearchParams({ metric: 'viewers', bucket, since: started_at, until: new Date(until).toISOString() });
  return { query, span: { since, until, step } };
}

/** The number of viewers now, or null. */
export function viewersNow(broadcast, points, span) {
  const last = points.at(-1);
  return !broadcast.ended_at && last && span.step === MINUTE && span.until - Date.parse(last.at) < NOW ? last.value : null;
}

/** The curve of the points, under the number of viewers now, if that is known. */
export function viewerCurve(broadcast, points, span) {
  const now = viewersNow(broadcast, points, span);
  return [element('figcaption', { class: 'quiet' }, now === null ? 'Viewers' : `Viewers: ${number(now)} now`),
    ...curve('Viewers', points, span)];
}
