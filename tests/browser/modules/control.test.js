import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Control } from '../../../src/api/pages/assets/control.js';

const FREE = { paused_at: null, is_muted: false, skips: 0, cleared_to: 0 };

/** What holds for all channels, and for some of them. */
const control = (all, others = {}) => new Control([
  { channel_id: null, ...FREE, ...all },
  ...Object.entries(others).map(([channel_id, its]) => ({ channel_id, ...FREE, ...its })),
]);

const alert = { channel: { id: '1' }, occurred_at: '2026-07-01T18:00:00Z' };
const other = { ...alert, channel: { id: '2' } };
const at = minutes => new Date(Date.parse(alert.occurred_at) + minutes * 60_000).toISOString();

test('channel without a row of its own is controlled by that of all others', () => {
  const some = control({ is_muted: true }, { 1: { is_muted: false } });
  assert.deepEqual([some.of(alert).is_muted, some.of(other).is_muted], [false, true]);
  assert.equal(new Control().of(alert).paused_at, null);
});

test('skips of the time before are over', () => {
  const later = control({ skips: 4 });
  assert.equal(later.skips(alert, new Control()), false);
  assert.equal(control({ skips: 5 }).skips(alert, later), true);
  assert.equal(control({ skips: 4 }, { 2: { skips: 5 } }).skips(alert, later), false);
});

test('clearing is about what had happened by then, and about replays that wait', () => {
  const [before, cleared] = [control({}), control({ cleared_to: 7 })];
  assert.deepEqual([6, 7, 8].map(id => cleared.clears({ alert, id }, before)), [true, true, false]);
  assert.equal(cleared.clears({ alert, id: null }, before), true);
  assert.equal(cleared.clears({ alert, id: null }, cleared), false);
  assert.equal(control({}, { 2: { cleared_to: 7 } }).clears({ alert, id: 7 }, before), false);
});

test('alert is held back from when it happened or the pause began, until the pause ends', () => {
  const paused = minutes => control({ paused_at: at(minutes) });
  const held = (before, after) => after.heldFor(alert, before, Date.parse(at(10))) / 60_000;
  assert.equal(held(paused(-30), control({})), 10);
  assert.equal(held(paused(4), control({})), 6);
  assert.equal(held(paused(4), paused(4)), 0);
  assert.equal(held(control({}), control({})), 0);
});
