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

test('only what is chosen of the items that wait is kept', async () => {
  const { queue, shown, items } = staged();
  for (const item of [1, 2, 3]) queue.push(item);
  queue.keep(item => item !== 2);
  shown[0].end();
  await turn();
  assert.deepEqual(items(), [1, 3]);
});

test('held items are passed over until they are not', async () => {
  const [held, shown] = [new Set([1, 3]), []];
  const queue = new Queue(async item => shown.push(item), item => held.has(item));
  for (const item of [1, 2, 3, 4]) queue.push(item);
  await turn();
  assert.deepEqual([shown, queue.waiting, queue.isIdle], [[2, 4], [1, 3], false]);
  held.clear();
  queue.go();
  await turn();
  assert.deepEqual([shown, queue.isIdle], [[2, 4, 1, 3], true]);
});
