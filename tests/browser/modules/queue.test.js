import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BOUND, Queue } from '../../../src/api/pages/assets/queue.js';

/** A queue whose items are shown until `end` is called. */
function staged() {
  const shown = [];
  const queue = new Queue(item => new Promise((end, fail) => shown.push({ item, end, fail })));
  return { queue, shown, items: () => shown.map(it => it.item) };
}

const turn = () => new Promise(resolve => setImmediate(resolve));

test('items are shown one at a time, in order', async () => {
  const { queue, shown, items } = staged();
  for (const item of [1, 2, 3]) queue.push(item);
  assert.deepEqual(items(), [1]);
  shown[0].end();
  await turn();
  assert.deepEqual(items(), [1, 2]);
  assert.equal(queue.isIdle, false);
});

test('queue is idle after the last item and takes more', async () => {
  const { queue, shown, items } = staged();
  queue.push(1);
  shown[0].end();
  await turn();
  assert.equal(queue.isIdle, true);
  queue.push(2);
  assert.deepEqual(items(), [1, 2]);
});

test('failing item does not stop the others', async context => {
  context.mock.method(console, 'error', () => {});
  const { queue, shown, items } = staged();
  queue.push(1);
  queue.push(2);
  shown[0].fail(new Error('no picture'));
  await turn();
  assert.deepEqual(items(), [1, 2]);
});

test('oldest items are dropped when too many wait', async () => {
  const { queue, shown, items } = staged();
  for (let item = 0; item <= BOUND + 2; item++) queue.push(item);
  shown[0].end();
  await turn();
  assert.deepEqual(items(), [0, 3]);
});

test('clear drops the items that wait', async () => {
  const { queue, shown, items } = staged();
  queue.push(1);
  queue.push(2);
  queue.clear();
  shown[0].end();
  await turn();
  assert.deepEqual(items(), [1]);
});
