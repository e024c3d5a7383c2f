import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockedWords } from '../../../src/api/pages/assets/blocked-words.js';

const words = new BlockedWords(['darn', 'Straße', 'two words', 'c++', 'a.b', 'café', 'darn it']);

test('words are found whole and in any case', () => {
  for (const text of ['darn', 'DARN!', 'so,Darn.', 'die STRAßE', 'Two   Words', 'c++', 'a.b', 'CAFE\u0301', 'cafe\u0301', 'd\u200bar\u00adn', '(darn)']) {
    assert.ok(words.isIn(text), text);
  }
  for (const text of ['', null, undefined, 'darned', 'undarn', 'darn_it', 'darn1', 'wordstwo words1', 'axb', 'cafés', 'c+', 'd a r n']) {
    assert.ok(!words.isIn(text), String(text));
  }
});

test('stars take their places, the longest first', () => {
  assert.equal(words.star('oh DARN, darn it!'), 'oh ****, *******!');
  assert.equal(words.star('café'), '****');
  assert.equal(new BlockedWords([]).star('darn'), 'darn');
});

test('alert has stars in what people wrote, and nowhere else', () => {
  const blocked = new BlockedWords(['cheer', 'darn']);
  const alert = {
    type: 'cheer', bits: 5, user: { id: '1', login: 'darn', display_name: 'Darn' }, message: 'cheer darn', occurred_at: 'x', is_test: false,
    reward: { title: 'darn it' }, choices: [{ title: 'darn', votes: 1 }], channel: { id: '2', login: 'x', display_name: 'X' }, tier: null,
  };
  assert.deepEqual(blocked.starAlert(alert), {
    ...alert, user: { id: '1', login: 'darn', display_name: '****' }, message: '***** ****', reward: { title: '**** it' },
    choices: [{ title: '****', votes: 1 }],
  });
  assert.equal(new BlockedWords([]).starAlert(alert), alert);
});
