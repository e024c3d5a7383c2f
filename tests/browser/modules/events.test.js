import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

// The list, without a page: elements that know their children, and no more.
class Node {
  #listeners = {};
  children = [];
  hidden = false;
  value = '';
  dataset = {};
  classList = { toggle() {} };

  setAttribute(name, value) { this[name] = value; }
  addEventListener(name, listener) { this.#listeners[name] = listener; }
  fire(name) { return this.#listeners[name]({ currentTarget: this }); }
  matches() { return this.class?.startsWith('day'); }
  get lastElementChild() { return this.children.at(-1); }
  append(...nodes) { this.#insert(this.children.length, nodes); }
  prepend(...nodes) { this.#insert(0, nodes); }
  replaceChildren(...nodes) { this.children = []; this.append(...nodes); }
  remove() { this.parent.children = this.parent.children.filter(it => it !== this); }
  #insert(place, nodes) {
    for (const node of nodes) if (node instanceof Node) node.parent = this;
    this.children.splice(place, 0, ...nodes);
  }
}

mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
globalThis.localStorage = { getItem: () => null, setItem() {} };
const { Events } = await import('../../../src/api/pages/assets/events.js');

const NOW = new Date().toISOString();
const event = (id, fields) => ({ id, type: 'channel.follow', message_type: 'notification', channel_id: '1', occurred_at: NOW, text: `Fan ${id} follows`,
  payload: {}, is_test: false, is_replay: false, repeats: null, ...fields });
const page = (ids, next = null) => ({ data: ids.map(id => event(id)), next });
const settled = () => new Promise(resolve => setImmediate(resolve));

/** A list, the requests that it has made, each to be answered, and what it shows. */
function list() {
  const [asked, nodes] = [[], {}];
  globalThis.document = { createElement: () => new Node(), getElementById: id => nodes[id] ??= new Node(), addEventListener() {} };
  const ask = (_, path) => new Promise((resolve, reject) => asked.push({ path, resolve, reject }));
  const events = new Events(ask, { nameOf: () => null });
  const answer = async (index, found) => {
    if (found instanceof Error) asked[index].reject(found);
    else asked[index].resolve(found);
    await settled();
  };
  const shown = () => nodes['event-list'].children.map(it => it['data-event']).filter(Boolean);
  return { events, asked, answer, shown, nodes };
}

test('event of the loaded page is listed once, whenever it comes over the feed', async () => {
  const { events, answer, shown } = list();
  events.load();
  events.add(event(2));
  await answer(0, page([3, 2, 1]));
  assert.deepEqual(shown(), [3, 2, 1]);
  events.add(event(3));
  events.add(event(4));
  assert.deepEqual(shown(), [4, 3, 2, 1]);
  events.add(event(2, { is_replay: true }));
  assert.deepEqual(shown(), [2, 4, 3, 2, 1], 'a replay is listed again');
});

test('two clicks load the older events once', async () => {
  const { events, asked, answer, shown, nodes } = list();
  events.load();
  await answer(0, page([4, 3], 3));
  nodes.older.fire('click');
  nodes.older.fire('click');
  assert.equal(asked.length, 2);
  await answer(1, new Error('the server is tired'));
  assert.equal(nodes['events-note'].textContent, 'Older events can\'t be loaded: the server is tired');
  nodes.older.fire('click');
  await answer(2, page([2, 1]));
  assert.deepEqual(shown(), [4, 3, 2, 1]);
  assert.equal(nodes['events-note'].textContent, '');
});

test('events that come are shown also while the list can\'t be loaded, which is tried again', async () => {
  const { events, asked, answer, shown, nodes } = list();
  events.load();
  events.add(event(5));
  assert.deepEqual(shown(), []);
  await answer(0, new Error('the token may not'));
  events.add(event(6));
  assert.deepEqual(shown(), [6, 5]);
  assert.equal(nodes['events-note'].textContent, 'Older events can\'t be loaded: the token may not');
  assert.equal(nodes.older.hidden, true, 'it is not known from where on');
  mock.timers.tick(5_000);
  assert.equal(asked.length, 2);
  await answer(1, page([6, 5, 4]));
  assert.deepEqual(shown(), [6, 5, 4]);
  assert.deepEqual([nodes['events-note'].textContent, nodes.older.hidden], ['', false]);
});
