import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlockedWords } from '../../../src/api/pages/assets/blocked-words.js';
import { isHidden } from '../../../src/api/pages/assets/chat-filter.js';
import { ChatPictures } from '../../../src/api/pages/assets/chat-pictures.js';
import { chatSettings } from '../../../src/api/pages/assets/settings.js';
import { spoken } from '../../../src/api/pages/assets/speech.js';

const message = ({ login = 'quietotter', text = 'hello', badges = [], notice = null }) => ({
  user: { id: '1', login, display_name: login }, badges, text, notice, fragments: text ? [{ type: 'text', text }] : [],
});
const hides = (query, it) => isHidden(message(it), chatSettings(new URLSearchParams(query)).settings);

test('bots, commands, users and blocked words are hidden if it is set', () => {
  const bot = { badges: [{ set_id: 'bot-badge', id: '1' }] };
  for (const [query, it] of [
    ['bots=hide', bot], ['bots=hide', { login: 'Nightbot' }], ['commands=hide', { text: '!so copperkite' }],
    ['hidden=other,QuietOtter', {}], ['blocked_words=darn', { text: 'Darn!' }], ['blocked_words=darn', { login: 'darn' }],
    ['blocked_words=darn', { notice: { type: 'raid', text: 'darn raids' } }],
  ]) {
    assert.equal(hides(query, it), true, query);
    assert.equal(hides('', it), false, query);
  }
  for (const [query, it] of [['bots=hide', { login: 'nightbot2' }], ['commands=hide', { text: 'wow!' }], ['hidden=quiet', {}]]) {
    assert.equal(hides(query, it), false, query);
  }
});

test('what says nothing is hidden', () => {
  assert.equal(hides('', { text: ' ' }), true);
  assert.equal(hides('', { text: '', notice: { type: 'raid', text: ' ' } }), true);
  assert.equal(hides('', { text: '', notice: { type: 'raid', text: 'A raid' } }), false);
});

test('wrong settings of the chat are reported', () => {
  const { settings, problems } = chatSettings(new URLSearchParams('bots=no&direction=left&lifetime=0&speech=5'));
  assert.deepEqual(problems.map(it => it.name), ['lifetime', 'direction', 'bots', 'speech']);
  assert.deepEqual([settings.hidesBots, settings.direction, settings.lifetime], [false, 'up', null]);
});

const PICTURES = {
  badges: { subscriber: { 6: { title: '6-Month Subscriber', url: 'https://x/6' } } },
  cheermotes: { cheer: [{ min_bits: 1, color: '#979797' }, { min_bits: 100, color: '#9c3ee8' }] },
};

test('pictures are asked for once, told when they are there, and asked for again after an hour', async () => {
  let [now, asked, news] = [0, [], []];
  const pictures = new ChatPictures(async id => { asked.push(id); return PICTURES; }, assert.fail, id => news.push(id), () => now);
  const badge = { set_id: 'subscriber', id: '6' };
  assert.equal(pictures.badge('7', badge), undefined);
  assert.equal(pictures.badge('7', badge), undefined);
  await Promise.resolve();
  assert.deepEqual([asked, news], [['7'], ['7']]);
  assert.equal(pictures.badge('7', badge).title, '6-Month Subscriber');
  for (const unknown of [{ set_id: 'subscriber', id: '7' }, { set_id: 'constructor', id: 'name' }, { set_id: '__proto__', id: 'x' }]) {
    assert.equal(pictures.badge('7', unknown), undefined);
  }
  const colors = [99, 100, 5000].map(bits => pictures.cheermote('7', 'Cheer', bits).color);
  assert.deepEqual(colors, ['#979797', '#9c3ee8', '#9c3ee8']);
  assert.equal(pictures.cheermote('7', 'Kappa', 100), undefined);
  assert.equal(pictures.cheermote('7', 'Cheer', 0), undefined);
  now = 60 * 60_000;
  assert.equal(pictures.badge('7', badge).title, '6-Month Subscriber', 'meanwhile, the old ones count');
  assert.deepEqual(asked, ['7', '7']);
});

test('after an error they are asked for again after a minute', async () => {
  let [now, asked] = [0, 0];
  const pictures = new ChatPictures(async () => { asked++; throw new Error('away'); }, assert.fail, () => assert.fail(), () => now);
  const ask = async at => {
    now = at;
    pictures.badge('7', { set_id: 'vip', id: '1' });
    await new Promise(resolve => setImmediate(resolve));
    return asked;
  };
  assert.deepEqual([await ask(0), await ask(59_999), await ask(60_000)], [1, 1, 2]);
});

test('words are emotes of other services, which are asked for again soon if one was away', async () => {
  let [now, asked] = [0, 0];
  const emotes = { Wave: { url: 'https://x/1' }, ['__proto__x']: { url: 'https://x/2' } };
  const load = async () => ({ emotes, unavailable: asked++ === 0 ? ['ffz'] : [] });
  const pictures = new ChatPictures(assert.fail, load, () => {}, () => now);
  const ask = async (at, word) => {
    now = at;
    pictures.emote('7', word);
    await new Promise(resolve => setImmediate(resolve));
    return pictures.emote('7', word)?.url;
  };
  assert.deepEqual([await ask(0, 'Wave'), asked], ['https://x/1', 1]);
  for (const word of ['wave', 'constructor', '__proto__', 'toString']) assert.equal(await ask(0, word), undefined, word);
  await ask(59_999, 'Wave');
  assert.equal(asked, 1);
  await ask(60_000, 'Wave');
  await ask(120_000, 'Wave');
  assert.equal(asked, 2, 'a whole answer counts for an hour');
});

test('services with emotes are those that are named', () => {
  const { settings, problems } = chatSettings(new URLSearchParams('emotes=ffz,7tv,twitch'));
  assert.deepEqual([settings.emotes, problems.map(it => it.message)], [['7tv', 'ffz'], ['“twitch”, allowed: 7tv, bttv, ffz']]);
  assert.deepEqual(chatSettings(new URLSearchParams()).settings.emotes, [], 'off by default');
});

test('messages are read out from so many bits on, without cheermotes', () => {
  const cheer = { bits: 500, message: 'Cheer500 that jump! Kappa100' };
  assert.equal(spoken(cheer, 500), 'that jump!');
  assert.equal(spoken(cheer, 501), null);
  assert.equal(spoken(cheer, null), null);
  assert.equal(spoken({ bits: 500, message: 'Cheer500' }, 1), null);
  assert.equal(spoken({ bits: 500, message: 'what a **** jump' }, 1), 'what a jump');
  assert.equal(spoken({ months: 5, message: 'hi' }, 1), null);
  assert.equal(new BlockedWords(['jump']).starAlert(cheer).message, 'Cheer500 that ****! Kappa100');
});
