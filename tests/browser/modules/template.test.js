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

test('value is never filled again', () => {
  assert.equal(text(fill('{user}{user}', { user: '{bits}', bits: 5 })), '{bits}{bits}');
});

test('text that is no placeholder stays as it is', () => {
  for (const same of ['', '{', '{}', '{unknown}', '{toString}', '{{', 'a } b']) assert.equal(text(fill(same, { user: 'x' })), same);
});

test('placeholders of a text are found', () => {
  assert.deepEqual(placeholders('{user} and {bits}, {user}'), ['user', 'bits', 'user']);
});
