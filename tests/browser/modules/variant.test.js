import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS } from '../../../src/api/pages/assets/kinds.js';
import { variantOf } from '../../../src/api/pages/assets/variant.js';

const USUAL = { text: 'usual', image: null, sound: 'none', duration: 6, animation: 'rise', size: null, minimum: null, variations: [] };

const textOf = (alert, its) => variantOf(alert, KINDS[alert.type], { ...USUAL, ...its })?.text;

test('first variation that fits is taken, and has the rest from its kind', () => {
  const variations = [
    { when: { bits: 1000 }, text: 'many', duration: 12, size: 150, sound: null },
    { when: { bits: 100 }, text: 'some', animation: 'zoom' },
  ];
  const cheer = bits => variantOf({ type: 'cheer', bits }, KINDS.cheer, { ...USUAL, variations });
  assert.deepEqual([5000, 1000, 999, 99].map(bits => cheer(bits).text), ['many', 'many', 'some', 'usual']);
  assert.deepEqual(cheer(1000), { text: 'many', image: null, sound: 'none', duration: 12, animation: 'rise', size: 150 });
  assert.deepEqual([cheer(100).animation, cheer(100).duration], ['zoom', 6]);
});

test('tier is compared as such, and what an alert does not have fits nothing', () => {
  const variations = [{ when: { tier: '3000' }, text: 'three' }, { when: { months: 12 }, text: 'year' }, { when: { bits: 0 }, text: 'never' }];
  const resubscribe = (tier, months) => textOf({ type: 'resubscribe', tier, months }, { variations });
  assert.deepEqual([resubscribe('3000', 1), resubscribe('1000', 12), resubscribe('1000', 11)], ['three', 'year', 'usual']);
});

test('nothing below the minimum is shown', () => {
  const raid = viewers => textOf({ type: 'raid', viewers }, { minimum: 10 });
  assert.deepEqual([9, 10].map(raid), [undefined, 'usual']);
  assert.equal(textOf({ type: 'follow' }, {}), 'usual');
});
