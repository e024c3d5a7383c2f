import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fill, placeholders } from '../../../src/api/pages/assets/template.js';

const text = parts => parts.map(part => part.text).join('');

test('placeholders are filled and marked as values', () => {
  assert.deepEqual(fill('{user} cheers {bits} bits!', { user: 'QuietOtter', bits: 5 }), [
    { text: 'QuietOtter', isValue: true },
    { text: ' cheers ', isValue: false },
    { text: '5', isValue: true },
    { text: ' bits!', isValue: false },
  ]);
});

test('word has the form that its number needs', () => {
  const count = (count, forms, language) => text(fill(`{count} {count:${forms}}`, { count }, language));
  assert.deepEqual([1, 2, 1234].map(it => count(it, 'viewer|viewers')), ['1 viewer', '2 viewers', '1,234 viewers']);
  assert.deepEqual([1, 3, 5].map(it => count(it, 'widz|widzów|widzów', 'pl')), ['1 widz', '3 widzów', '5 widzów']);
  assert.deepEqual([1, 3, 5].map(it => count(it, 'plik|pliki|plików', 'pl')), ['1 plik', '3 pliki', '5 plików']);
  assert.equal(count(7, 'same'), '7 same');
});

test('value is never filled again', () => {
  assert.equal(text(fill('{user}{user}', { user: '{bits}', bits: 5 })), '{bits}{bits}');
});

test('text that is no placeholder stays as it is', () => {
  for (const same of ['', '{', '{}', '{unknown}', '{toString}', '{{', 'a } b']) assert.equal(text(fill(same, { user: 'x' })), same);
});

test('placeholders of a text are found', () => {
  assert.deepEqual(placeholders('{user} and {bits}, {user}'), ['user', 'bits', 'user']);
});
