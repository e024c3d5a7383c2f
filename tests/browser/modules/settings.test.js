import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contrast, readable } from '../../../src/api/pages/assets/color.js';
import { pause } from '../../../src/api/pages/assets/feed.js';
import { KINDS } from '../../../src/api/pages/assets/kinds.js';
import { alertSettings, chatSettings } from '../../../src/api/pages/assets/settings.js';
import { fill, placeholders } from '../../../src/api/pages/assets/template.js';

const alerts = query => alertSettings(new URLSearchParams(query));

test('defaults apply without settings', () => {
  const { settings, problems } = alerts('');
  assert.deepEqual(problems, []);
  assert.equal(settings.duration, 6);
  const usual = { image: null, duration: 6, animation: 'rise', size: null, minimum: null, variations: [] };
  assert.deepEqual(settings.of.follow, { ...usual, text: '{user} follows!', sound: 'none' });
  assert.ok(settings.types.includes('follow') && !settings.types.includes('hype_train_progress'));
  assert.ok(!settings.types.includes('online') && !settings.types.includes('offline'));
});

test('setting of one kind overrides the general one', () => {
  const { settings, problems } = alerts('sound=chime&image=/a.png&sound_raid=none&image_raid=https://x.test/r.gif&text_raid={viewers}!');
  assert.deepEqual(problems, []);
  const { text, image, sound } = settings.of.raid;
  assert.deepEqual([text, image, sound], ['{viewers}!', 'https://x.test/r.gif', 'none']);
  assert.deepEqual([settings.of.follow.image, settings.of.follow.sound], ['/a.png', 'chime']);
});

for (const [query, name, says] of [
  ['duration=soon', 'duration', 'from 1 to 60'],
  ['duration=0', 'duration', 'from 1 to 60'],
  ['duration=61', 'duration', 'from 1 to 60'],
  ['volume=Infinity', 'volume', 'from 0 to 100'],
  ['types=follow,fallow', 'types', '“fallow”'],
  ['text_follow={usr} follows', 'text_follow', '{usr}'],
  ['image=javascript:alert(1)', 'image', 'https://'],
  ['image=//x.test/a.png', 'image', 'https://'],
  ['sound=data:audio/wav,', 'sound', 'https://'],
  ['image_cheer=http://x.test/a.png', 'image_cheer', 'https://'],
  ['colour=red', 'colour', 'unknown setting'],
  ['minimum_raid=few', 'minimum_raid', 'from 0'],
  ['minimum_follow=3', 'minimum_follow', 'unknown setting'],
  ['animation=spin', 'animation', 'one of rise'],
  ['followers={user}', 'followers', '{user}'],
  ['place=above', 'place', 'one of top-left'],
  ['theme=dim', 'theme', 'one of dark'],
  ['width=5', 'width', 'from 10 to 100'],
  ['panel=red', 'panel', 'a colour'],
  ['font=a"b', 'font', 'the name of a font'],
  ['token=showtime_x', 'token', 'behind #'],
]) {
  test(`${query} is reported and ignored`, () => {
    const { settings, problems } = alerts(query);
    assert.deepEqual(problems.map(it => it.name), [name]);
    assert.ok(problems[0].message.includes(says), problems[0].message);
    assert.equal(settings.duration, 6);
    assert.equal(settings.of.follow.image, null);
  });
}

test('chat has its own settings', () => {
  const { settings, problems } = chatSettings(new URLSearchParams('max=3&channel=maplearcade&sound=chime'));
  assert.deepEqual([settings.channel, settings.max, settings.max_age], ['maplearcade', 3, 5]);
  assert.deepEqual(problems.map(it => it.name), ['sound']);
});

test('text of each kind can be filled from its example', () => {
  for (const [type, kind] of Object.entries(KINDS)) {
    const values = kind.values(kind.example);
    assert.deepEqual(placeholders(kind.text).filter(name => !values[name]), [], type);
    assert.doesNotMatch(fill(kind.text, values).map(it => it.text).join(''), /undefined|NaN|\{/, type);
  }
});

test('every chosen colour is readable', () => {
  for (const chosen of ['#000000', '#0000ff', '#8B0000', '#1E90FF', '#ffffff', '', null, 'red', 'url(x)']) {
    for (const panel of ['#18181b', '#ffffff', '#777777', '#000000']) {
      const color = readable(chosen, panel);
      assert.match(color, /^#[0-9a-f]{6}$/);
      const parts = it => [1, 3, 5].map(at => parseInt(it.slice(at, at + 2), 16));
      assert.ok(contrast(parts(color), parts(panel)) >= 4.4, `${chosen} ${color} on ${panel}`);
    }
  }
  assert.equal(readable('#1E90FF', '#18181b'), '#1e90ff');
});

test('pauses grow up to a bound, with jitter', () => {
  assert.deepEqual([0, 1, 2, 9, 99].map(attempt => pause(attempt, 1)), [2000, 4000, 8000, 30000, 30000]);
  assert.equal(pause(0, 0), 1000);
});
