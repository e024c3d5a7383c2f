import assert from 'node:assert/strict';
import { test } from 'node:test';
import { join } from '../../../src/api/pages/assets/gifts.js';

const row = (type, event, second = 0, more = {}) => ({
  event: { type, channel_id: '1', occurred_at: new Date(second * 1000).toISOString(), payload: { event }, ...more },
  given: null, isHidden: false, names: '',
  hide() { this.isHidden = true; },
  show(names) { this.names = names.join(); },
});
const gift = (total, tier = '1000', second = 0, more) => row('channel.subscription.gift', { total, tier }, second, more);
const given = (user_name, tier = '1000', second = 0, more) => row('channel.subscribe', { is_gift: true, tier, user_name }, second, more);

test('given subscriptions join the gift before them, up to its total', () => {
  const bomb = gift(2);
  assert.equal(join(bomb, []), false);
  assert.deepEqual(['A', 'B', 'C'].map(name => join(given(name), [bomb])), [true, true, false]);
  assert.equal(bomb.names, 'A,B');
});

test('given subscriptions that come first join the gift behind them', () => {
  const [first, other, bomb] = [given('A'), given('B', '2000'), gift(2)];
  assert.equal(join(bomb, [other, first]), false);
  assert.deepEqual([bomb.names, first.isHidden, other.isHidden], ['A', true, false]);
});

test('names are in the order of the events, also when the newest are loaded first', () => {
  const [a, b, c] = ['A', 'B', 'C'].map((name, id) => given(name, '1000', 0, { id }));
  const bomb = gift(3);
  assert.equal(join(bomb, [b, a]), false);
  assert.equal(join(c, [bomb]), true);
  assert.equal(bomb.names, 'A,B,C');
});

test('gift of another channel, tier or time is not theirs, nor is a replay', () => {
  const bomb = gift(5);
  for (const other of [given('A', '3000'), given('A', '1000', 61), given('A', '1000', 0, { channel_id: '2' }), given('A', '1000', 0, { is_replay: true })]) {
    assert.equal(join(other, [bomb]), false);
  }
  assert.equal(join(row('channel.subscribe', { is_gift: false, tier: '1000', user_name: 'A' }), [bomb]), false);
  assert.equal(join(given('A'), [gift(5, '1000', 0, { is_replay: true })]), false);
});
