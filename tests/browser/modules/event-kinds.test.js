import assert from 'node:assert/strict';
import { test } from 'node:test';

// The buttons, without a page.
globalThis.localStorage = { getItem: () => globalThis.stored, setItem: (_, text) => { globalThis.stored = text; } };
globalThis.stored = null;
globalThis.document = {
  createElement: () => ({ setAttribute() {}, append() {}, addEventListener(_, click) { this.click = () => click({ currentTarget: this }); } }),
};
const { KindButtons, kindOf } = await import('../../../src/api/pages/assets/event-kinds.js');

function buttons() {
  const found = [];
  return [new KindButtons({ replaceChildren: (...children) => found.push(...children) }), found];
}

test('types are of the kind that people call them', () => {
  const kinds = { 'channel.follow': 'follows', 'channel.subscription.gift': 'subs', 'channel.bits.use': 'bits', 'channel.raid': 'raids',
    'channel.channel_points_custom_reward_redemption.add': 'points', 'channel.chat.message': 'chat', 'showtime.chat.presence': 'chat',
    'channel.chat_settings.update': 'others', 'unheard.of': 'others' };
  for (const [type, kind] of Object.entries(kinds)) assert.equal(kindOf(type).name, kind, type);
});

test('the log is asked for what is chosen alone', () => {
  const [kinds, [follows, , , , , chat, others]] = buttons();
  assert.deepEqual(kinds.patterns(), ['*', '-channel.chat.*', '-showtime.chat.*']);
  assert.equal(kinds.isChosen({ type: 'channel.chat.message' }), false);
  chat.click();
  assert.deepEqual(kinds.patterns(), ['*']);
  assert.equal(kinds.isChosen({ type: null, message_type: 'revocation' }), true);
  follows.click();
  assert.deepEqual(kinds.patterns(), ['*', '-channel.follow']);
  others.click();
  assert.deepEqual(kinds.patterns().slice(0, 3), ['-*', 'channel.subscribe', 'channel.subscription.*']);
  const [again] = buttons();
  assert.deepEqual(again.patterns(), kinds.patterns(), 'it is remembered');
});
