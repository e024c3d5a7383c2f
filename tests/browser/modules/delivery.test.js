import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path } from '../../../src/api/pages/assets/curve.js';
import { bands, lags, rates, spanOf } from '../../../src/api/pages/assets/delivery.js';
import { pathOf } from '../../../src/api/pages/assets/timeline.js';

const HOUR = 3_600_000;
const SINCE = Date.parse('2026-07-01T18:15:00Z');
const at = hour => new Date(SINCE + hour * HOUR).toISOString();
const sent = (hour, messages, p95_seconds) => ({ at: at(hour), messages, median_seconds: 0.1, p95_seconds, worst_seconds: 2 * p95_seconds });
const HISTORY = {
  since: at(0), until: at(24), span_seconds: 900, sampled_every: 2,
  delivery: [sent(0, 30, 4), sent(0.25, 15, 2), sent(12, 60, 1)],
  outages: [{ began_at: at(-1), ended_at: at(6) }, { began_at: at(12), ended_at: null }, { began_at: at(3), ended_at: at(3) }],
};

test('lag is a curve that is broken where no messages came', () => {
  const span = spanOf(HISTORY);
  assert.equal(path(lags(HISTORY), { ...span, max: 4 }), 'M0.0 0.0L6.3 40.0M300.0 60.0h0');
});

test('rates are per minute, of all messages if a part was looked at, and of the time that is over', () => {
  const now = Date.parse(at(12)) + 5 * 60_000;
  assert.deepEqual(rates(HISTORY, now).map(it => it.value), [4, 2, 24]);
  assert.deepEqual(rates(HISTORY, Date.parse(at(12)) + 1).map(it => it.value), [4, 2, 120], 'of a minute at least');
});

test('outages are bands, as far as they are shown, and one that lasts ends now', () => {
  const drawn = bands(HISTORY.outages, spanOf(HISTORY), Date.parse(at(18))).map(pathOf);
  assert.deepEqual(drawn, ['M0.0 60h150.0v20h-150.0z', 'M300.0 60h150.0v20h-150.0z', 'M75.0 60h1.0v20h-1.0z']);
});
