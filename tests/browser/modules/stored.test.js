import assert from 'node:assert/strict';
import { test } from 'node:test';
import { flat, nameAt, nested, plain } from '../../../src/api/pages/assets/stored.js';

const PARTS = ['alerts', 'chat'];
const DOCUMENT = {
  channel: 'maplearcade',
  max_age: 5,
  look: { place: 'top', width: 40 },
  alerts: { types: ['follow', 'raid'], duration: 3, kinds: { hype_train_begin: { text: 'Go {level}', sound: 'chime' } } },
  chat: { max: 7, direction: 'down', hidden: ['nightbot', 'other'], emotes: ['7tv', 'ffz'] },
  blocked_words: ['darn', 'two words'],
};

test('document and query say the same', () => {
  const query = flat(DOCUMENT, PARTS);
  assert.deepEqual(Object.fromEntries(query), {
    channel: 'maplearcade', max_age: '5', place: 'top', width: '40', types: 'follow,raid', duration: '3',
    text_hype_train_begin: 'Go {level}', sound_hype_train_begin: 'chime', max: '7',
    direction: 'down', hidden: 'nightbot,other', emotes: '7tv,ffz', blocked_words: 'darn,two words',
  });
  assert.deepEqual(nested(query), DOCUMENT);
});

test('null and parts of other overlays are left out', () => {
  const query = flat({ ...DOCUMENT, max_age: null, look: { place: null } }, ['chat']);
  assert.deepEqual(Object.fromEntries(query), {
    channel: 'maplearcade', max: '7', direction: 'down', hidden: 'nightbot,other', emotes: '7tv,ffz', blocked_words: 'darn,two words',
  });
  assert.deepEqual(Object.fromEntries(flat(DOCUMENT, [])), { channel: 'maplearcade', place: 'top', width: '40', blocked_words: 'darn,two words' });
});

test('small overlays have their own settings in their address', () => {
  const small = { label: { of: 'raid', text: 'Last: {user}' }, events: { types: ['follow', 'raid'], max: 3 }, clock: { show: 'uptime' } };
  const query = flat({ ...DOCUMENT, ...small }, ['label']);
  assert.deepEqual(Object.fromEntries(plain(query, 'label')), {
    channel: 'maplearcade', place: 'top', width: '40', of: 'raid', text: 'Last: {user}', blocked_words: 'darn,two words',
  });
  const all = flat(small, ['label', 'events', 'clock']);
  assert.deepEqual(Object.fromEntries(all), {
    label_of: 'raid', label_text: 'Last: {user}', events_types: 'follow,raid', events_max: '3', clock_show: 'uptime',
  });
  assert.deepEqual(nested(all), small);
});

test('what is no number is left to the server', () => {
  assert.deepEqual(nested(new URLSearchParams('duration=soon&color=%23ffffff')), { alerts: { duration: 'soon' }, look: { color: '#ffffff' } });
});

test('field of a problem is a setting', () => {
  for (const [path, name] of [
    ['max_age', 'max_age'], ['look.place', 'place'], ['alerts.types[1]', 'types'], ['alerts.kinds.raid.text', 'text_raid'],
    ['label.text', 'label_text'], ['events.types[1]', 'events_types'], ['chat.max', 'max'], ['chat.hidden[1]', 'hidden'], ['blocked_words[2]', 'blocked_words'],
  ]) {
    assert.equal(nameAt(path), name);
  }
});
