import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as clock from '../../../src/api/pages/assets/clock.js';
import * as events from '../../../src/api/pages/assets/event-list.js';
import * as goal from '../../../src/api/pages/assets/goal.js';
import * as hypeTrain from '../../../src/api/pages/assets/hype-train.js';
import * as label from '../../../src/api/pages/assets/label.js';
import * as poll from '../../../src/api/pages/assets/poll.js';
import { Reader } from '../../../src/api/pages/assets/settings.js';
import { examplesOf } from '../../../src/api/pages/assets/small-examples.js';

const NOW = Date.parse('2026-07-01T18:00:00Z');
const at = seconds => new Date(NOW + seconds * 1000).toISOString();
const channel = { display_name: 'MapleArcade' };
const alert = (type, occurred, fields) => ({ type, channel, occurred_at: at(occurred), ...fields });
const follow = name => alert('follow', -60, { user: { display_name: name } });

/** The settings of a module, and the names of those that are wrong. */
function read({ settings }, query) {
  const reader = new Reader(new URLSearchParams(query));
  const found = settings(reader);
  return { settings: found, wrong: reader.problems().map(it => it.name) };
}

const view = (module, query, alerts, now = NOW, extra = null) => module.view(alerts, read(module, query).settings, now, extra);
const text = parts => parts.map(it => it.text).join('');

test('nothing is shown while there is nothing', () => {
  for (const module of [clock, events, goal, hypeTrain, label, poll]) assert.equal(view(module, '', []), null);
});

test('goal stays until it is over, and for a minute if it is reached', () => {
  const progress = alert('goal_progress', -600, { kind: 'follow', description: null, current: 95, target: 100 });
  assert.deepEqual(view(goal, '', [progress]), { text: 'Followers', current: 95, target: 100 });
  assert.equal(view(goal, 'kind=new_bit', [progress]), null);
  const end = is_achieved => alert('goal_end', -30, { ...progress, is_achieved, type: 'goal_end', occurred_at: at(-30) });
  assert.equal(view(goal, 'text=Go', [progress, end(true)]).text, 'Go');
  assert.equal(view(goal, '', [progress, end(true)], NOW + 60_000), null);
  assert.equal(view(goal, '', [progress, end(false)]), null);
});

test('label names the last one in the text that is set', () => {
  assert.equal(text(view(label, '', [follow('One'), follow('Two')])), 'Latest follower: Two');
  assert.equal(text(view(label, 'text=Hi {user}', [follow('<b>Two</b>')])), 'Hi <b>Two</b>');
  const cheer = alert('cheer', -5, { user: null, bits: 1500, message: null });
  assert.equal(text(view(label, 'of=cheer', [cheer])), 'Latest cheer: Anonymous (1,500)');
  assert.deepEqual(read(label, 'of=moon&text={age}').wrong, ['of', 'text']);
});

test('events are listed with the newest first', () => {
  assert.deepEqual(view(events, 'max=2', [follow('One'), follow('Two'), follow('Three')]).map(text), ['Three follows!', 'Two follows!']);
  assert.deepEqual(read(events, 'max=21&colour=red').wrong, ['max', 'colour']);
});

test('preview of the events has the types that are chosen', () => {
  const types = query => examplesOf('events', new URLSearchParams(query), NOW).map(it => it.type);
  assert.deepEqual(types('types=gift,fallow,raid'), ['gift', 'raid']);
  for (const query of ['', 'types=fallow']) assert.deepEqual(types(query), ['follow', 'cheer', 'subscribe', 'raid']);
});

test('hype train is shown until it expires, and its end for 15 seconds', () => {
  const train = alert('hype_train_progress', -10, { level: 3, total: 7100, progress: 500, goal: 1800, expires_at: at(90) });
  assert.deepEqual(view(hypeTrain, '', [train]), { level: 3, total: 7100, left: 90, progress: 500, goal: 1800 });
  assert.equal(view(hypeTrain, '', [train], NOW + 90_000), null, 'the end was missed');
  const end = alert('hype_train_end', -10, { level: 4, total: 9000, progress: null, goal: null, expires_at: null });
  assert.deepEqual(view(hypeTrain, '', [train, end]), { level: 4, total: 9000, left: null });
  assert.equal(view(hypeTrain, '', [train, end], NOW + 5_000), null);
});

test('poll and prediction show their answers, and the best when they have ended', () => {
  const choices = [{ id: '1', title: 'Yes', votes: 3 }, { id: '2', title: 'No', votes: 1 }];
  const running = alert('poll_progress', -10, { title: 'Again?', choices, ends_at: at(60), status: null });
  const answer = (title, count, isBest) => ({ title, count, isBest });
  assert.deepEqual(view(poll, '', [running]).answers, [answer('Yes', 3, false), answer('No', 1, false)]);
  assert.equal(view(poll, '', [running], NOW + 75_000), null, 'the end was missed');
  const ended = { ...running, type: 'poll_end', occurred_at: at(-5) };
  assert.deepEqual(view(poll, '', [running, ended]).answers, [answer('Yes', 3, true), answer('No', 1, false)]);
  assert.equal(view(poll, '', [running, ended], NOW + 10_000), null);
  const outcomes = [{ id: 'a', title: 'Win', channel_points: 500 }, { id: 'b', title: 'Lose', channel_points: 300 }];
  const locked = alert('prediction_lock', -3600, { title: 'First try?', outcomes, winning_outcome_id: null });
  assert.equal(view(poll, '', [locked]).isLocked, true, 'it stays until it is resolved');
  const resolved = { ...locked, type: 'prediction_end', occurred_at: at(-1), winning_outcome_id: 'b' };
  assert.deepEqual(view(poll, '', [resolved]).answers.map(it => it.isBest), [false, true]);
});

test('clock counts up, down, or shows fresh samples', async () => {
  const online = alert('online', -3700, { started_at: at(-3725) });
  assert.equal(view(clock, '', [online]).value, '1:02:05');
  assert.equal(view(clock, '', [online, alert('offline', -5, {})]), null);
  assert.deepEqual(view(clock, `show=countdown&to=${at(65)}&text=Soon`, []), { text: 'Soon', value: '1:05' });
  assert.equal(view(clock, `show=countdown&to=${at(-1)}`, []), null);
  assert.deepEqual(read(clock, 'show=countdown').wrong, ['to']);
  assert.deepEqual(read(clock, 'show=countdown&to=soon').wrong, ['to']);
  assert.equal(view(clock, 'show=viewers', [], NOW, { at: at(-60), value: 1204 }).value, (1204).toLocaleString());
  assert.equal(view(clock, 'show=viewers', [], NOW, { at: at(-300), value: 1204 }), null);
  const asked = [];
  const ask = async path => (asked.push(path), { points: [{ at: at(-60), value: 7 }] });
  assert.equal((await clock.load({ show: 'viewers', channel: 'a/b,c' }, ask, NOW)).value, 7);
  assert.ok(asked[0].startsWith('/channels/a%2Fb/series?metric=viewers&bucket=minute&since='), asked[0]);
  assert.equal(await clock.load({ show: 'uptime', channel: 'a' }, ask, NOW), null);
});

test('time of day is the next one', () => {
  const time = (text, now) => new Reader(new URLSearchParams({ to: text })).time('to', now);
  const noon = new Date(2026, 6, 1, 12, 0).getTime();
  assert.equal(time('20:15', noon), new Date(2026, 6, 1, 20, 15).getTime());
  assert.equal(time('11:00', noon), new Date(2026, 6, 1, 11, 0).getTime() + 86_400_000);
});
