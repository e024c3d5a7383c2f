import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Parser } from '../../../src/api/pages/assets/sse.js';

const STREAM = 'retry: 2000\n\n: heartbeat\n\nid: 7\nevent: alert\ndata: {"a":\ndata: "ü"}\n\ndata:  two spaces\n\nid: 9\n\ndata\n\n';
const EVENTS = [
  { id: '7', event: 'alert', data: '{"a":\n"ü"}' },
  { id: '7', event: 'message', data: ' two spaces' },
  { id: '9', event: null, data: null },
  { id: '9', event: 'message', data: '' },
];

test('stream is parsed the same wherever it is cut and whatever ends its lines', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const stream = STREAM.replaceAll('\n', end);
    for (let first = 0; first <= stream.length; first++) {
      for (let second = first; second <= stream.length; second++) {
        const parser = new Parser();
        const pieces = [stream.slice(0, first), stream.slice(first, second), stream.slice(second)];
        assert.deepEqual(pieces.flatMap(piece => parser.push(piece)), EVENTS, JSON.stringify(pieces));
        assert.equal(parser.retry, 2000);
      }
    }
  }
});

test('incomplete event is not returned', () => {
  const parser = new Parser();
  assert.deepEqual(parser.push('id: 1\nevent: alert\ndata: {}\n'), []);
});

test('fields that the standard ignores are ignored', () => {
  const parser = new Parser();
  assert.deepEqual(parser.push('id: a\0b\nretry: soon\nnew: field\ndata:x\n\n'), [{ id: null, event: 'message', data: 'x' }]);
  assert.equal(parser.retry, null);
});

test('name of an event does not carry over to the next one', () => {
  assert.deepEqual(new Parser().push('event: alert\n\ndata: x\n\n'), [{ id: null, event: 'message', data: 'x' }]);
});
