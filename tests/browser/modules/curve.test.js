import assert from 'node:assert/strict';
import { test } from 'node:test';
import { path } from '../../../src/api/pages/assets/curve.js';
import { seriesOf } from '../../../src/api/pages/assets/viewer-curve.js';

const MINUTE = 60_000;
const SINCE = Date.parse('2026-07-01T18:00:00Z');
const at = minute => new Date(SINCE + minute * MINUTE).toISOString();
const points = (...values) => values.map(([minute, value]) => ({ at: at(minute), value }));
const span = (minutes, max) => ({ since: SINCE, until: SINCE + minutes * MINUTE, step: MINUTE, max });

test('curve goes through its points, from left to right', () => {
  assert.equal(path(points([0, 0], [1, 50], [2, 100]), span(4, 100)), 'M0.0 80.0L150.0 40.0L300.0 0.0');
});

test('curve is broken where samples are missing, and a sample alone is a dot', () => {
  assert.equal(path(points([0, 10], [1, 10], [4, 5], [8, 10], [9, 10]), span(10, 10)),
    'M0.0 0.0L60.0 0.0M240.0 40.0h0M480.0 0.0L540.0 0.0');
});

test('curve of nothing is nothing, and one of zeros lies on the ground', () => {
  assert.equal(path([], span(10, 0)), '');
  assert.equal(path(points([0, 0], [1, 0]), span(1, 0)), 'M0.0 80.0L600.0 80.0');
});

test('series has a point for each minute, and of a very long broadcast one for each hour', () => {
  const bucket = hours => {
    const { query, span } = seriesOf({ started_at: at(0), ended_at: null }, SINCE + hours * 60 * MINUTE);
    return [query.get('bucket'), span.step / MINUTE];
  };
  assert.deepEqual([bucket(4), bucket(24), bucket(26)], [['minute', 1], ['minute', 1], ['hour', 60]]);
});
