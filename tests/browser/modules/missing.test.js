import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linesFor } from '../../../src/api/pages/assets/missing.js';

const MISSING = [
  { channel: 'one', alerts: ['poll_begin', 'poll_end'], chat: false, message: 'Twitch is not asked for them', command: 'init' },
  { channel: 'two', alerts: ['follow'], chat: false, message: 'there is no session', command: null },
  { channel: 'two', alerts: [], chat: true, message: 'the chat is not read', command: 'server chat set two live' },
];
const lines = (types, channels = []) => linesFor(MISSING, types, channels);

test('what is missing of the chosen alerts is told by channel', () => {
  assert.deepEqual(lines(['follow', 'raid', 'poll_end']), [
    'one does not get Poll: end: Twitch is not asked for them. Run: init', 'two does not get New follower: there is no session.',
  ]);
  assert.deepEqual(lines(['follow', 'poll_end'], ['two']), ['two does not get New follower: there is no session.']);
  assert.deepEqual(lines(['raid']), []);
});

test('so is the chat', () => {
  assert.deepEqual(lines(null), ['two does not get the chat: the chat is not read. Run: server chat set two live']);
  assert.deepEqual(lines(null, ['one']), []);
});
