// The overlay with the bars of a poll or a prediction.

import { element, isolated } from './dom.js';
import { number } from './format.js';

export const title = 'Poll';
export const isWide = true;

/** For how long the result stays, in milliseconds. */
const LINGER = 15_000;

export const settings = () => ({});

export const types = () => ['poll_begin', 'poll_progress', 'poll_end',
  'prediction_begin', 'prediction_progress', 'prediction_lock', 'prediction_end'];

export function view(alerts, _, now) {
  const last = alerts.at(-1);
  if (!last) return null;
  const isEnded = last.type.endsWith('_end');
  // The end of a poll may be missed. A locked prediction has no end yet.
  const ended = isEnded ? Date.parse(last.occurred_at) : last.choices && last.ends_at ? Date.parse(last.ends_at) : Infinity;
  if (now - ended >= LINGER) return null;
  const answers = last.choices?.map(it => ({ title: it.title, count: it.votes }))
    ?? last.outcomes.map(it => ({ title: it.title, count: it.channel_points, isWinner: it.id === last.winning_outcome_id }));
  const most = Math.max(...answers.map(it => it.count));
  const isBest = it => isEnded && (last.choices ? it.count === most && most > 0 : it.isWinner);
  return { title: last.title, unit: last.choices ? 'votes' : 'points', isLocked: last.type === 'prediction_lock',
    answers: answers.map(it => ({ title: it.title, count: it.count, isBest: isBest(it) })) };
}

export function render({ title, unit, isLocked, answers }) {
  const total = answers.reduce((sum, { count }) => sum + count, 0);
  const answer = ({ title, count, isBest }) => element('li', {},
    element('p', { class: 'line' }, isolated(isBest ? 'strong' : 'span', {}, title),
      element('span', { class: 'quiet' }, `${Math.round(100 * count / Math.max(total, 1))} %`)),
    element('progress', { max: Math.max(total, 1), value: count, 'aria-label': `${number(count)} ${unit}` }));
  return [isolated('p', { class: 'heading' }, title), element('ol', {}, ...answers.map(answer)),
    element('p', { class: 'quiet' }, `${number(total)} ${unit}${isLocked ? ', no more predictions' : ''}`)];
}
