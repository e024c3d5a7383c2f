import assert from 'node:assert/strict';
import { test } from 'node:test';
import { amountOf, parts } from '../../../src/api/pages/assets/amount.js';

test('amount is told from names and other numbers', () => {
  assert.deepEqual(parts('QuietOtter cheered 500 bits', 500), ['QuietOtter cheered ', '500', ' bits']);
  assert.deepEqual(parts('User500 cheered 500 bits: “500!”', 500), ['User500 cheered ', '500', ' bits: “500!”']);
  assert.deepEqual(parts('500 cheered 500 bits', 500), ['500 cheered ', '500', ' bits']);
  assert.deepEqual(parts('QuietOtter cheered 1,500 bits', 500), ['QuietOtter cheered 1,500 bits']);
});

test('thousands have commas', () => {
  assert.deepEqual(parts('QuietOtter raided MapleArcade with 1,234 viewers', 1234), ['QuietOtter raided MapleArcade with ', '1,234', ' viewers']);
  assert.deepEqual(parts('QuietOtter redeemed “Hydrate” for 1,000,000 channel points', 1_000_000)[1], '1,000,000');
});

test('event without an amount has a sentence alone', () => {
  assert.deepEqual(parts('QuietOtter followed', amountOf({})), ['QuietOtter followed']);
  assert.deepEqual(parts('A reward was redeemed', amountOf({ reward: { cost: 300 } })), ['A reward was redeemed']);
  assert.equal(amountOf({ bits: '5', viewers: 7 }), 7);
  assert.equal(amountOf({ reward: { channel_points: 50 } }), 50);
});
