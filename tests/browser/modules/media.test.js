import assert from 'node:assert/strict';
import { test } from 'node:test';

globalThis.document = { getElementById: () => null };
const { nameFor } = await import('../../../src/api/pages/assets/media-card.js');

test('name of a file becomes one that the server takes', () => {
  for (const [name, expected] of [
    ['horn.mp3', 'horn.mp3'], ['Größe 1.png', 'Gro-e-1.png'], ['C:\\x\\a b.gif', 'C-x-a-b.gif'], ['../../etc/x.png', 'etc-x.png'],
    ['.hidden.png', 'hidden.png'], [`${'x'.repeat(200)}.wav`, `${'x'.repeat(96)}.wav`], ['日本.png', 'png'],
  ]) {
    assert.equal(nameFor(name), expected);
  }
});
