import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsPath, filled } from '../../../src/api/pages/assets/curve.js';
import { layout, pathOf } from '../../../src/api/pages/assets/timeline.js';

const MINUTE = 60_000;
const SINCE = Date.parse('2026-07-01T18:00:00Z');
const at = minute => new Date(SINCE + minute * MINUTE).toISOString();
const event = (type, minute, more) => ({ type, occurred_at: at(minute), text: type, repeats: null, is_test: false, payload: {}, ...more });
const drawn = items => items.map(it => `${it.kind} ${pathOf(it)}`);

test('segments are bands, events marks, and changes of the title ticks, in the order of their time', () => {
  const broadcast = { started_at: at(0), ended_at: at(60), segments: [
    { title: 'Before and in', started_at: at(-10), ended_at: at(15) },
    { title: 'Rest', started_at: at(15), ended_at: null },
  ] };
  const items = layout(broadcast, [event('channel.raid', 30), event('channel.update', 45), event('channel.hype_train.begin', 6)], 0);
  assert.deepEqual(drawn(items), [
    'band M0.0 60h150.0v20h-150.0z', 'mark M60.0 0v60', 'band M150.0 60h450.0v20h-450.0z', 'mark M300.0 0v60', 'tick M450.0 60v-20',
  ]);
});

test('only large gifts stand out, and neither tests nor repeats', () => {
  const gift = total => event('channel.subscription.gift', 1, { payload: { event: { total } } });
  const items = layout({ started_at: at(0), ended_at: null, segments: [] },
    [gift(4), gift(5), event('channel.raid', 2, { is_test: true }), event('channel.raid', 2, { repeats: 7 })], SINCE + 10 * MINUTE);
  assert.deepEqual(drawn(items), ['mark M60.0 0v60'], 'a broadcast that is on ends now');
});

test('bars stand where their time is', () => {
  const span = { since: SINCE, until: SINCE + 4 * MINUTE, step: MINUTE, max: 100 };
  assert.equal(barsPath([{ at: at(0), value: 100 }, { at: at(3), value: 25 }], span),
    'M0.0 80v-80.0h120.0v80.0zM450.0 80v-20.0h120.0v20.0z');
});

test('sums are 0 where the series has no point', () => {
  const span = { since: SINCE + 20_000, until: SINCE + 2.5 * MINUTE, step: MINUTE };
  assert.deepEqual(filled([{ at: at(1), value: 3 }], span).map(it => it.value), [0, 3, 0]);
});
