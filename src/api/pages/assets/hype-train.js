// The overlay with the bar of a hype train.

import { element } from './dom.js';
import { countdown, number } from './format.js';

export const title = 'Hype train';
export const isWide = true;

/** For how long a train that has ended stays, in milliseconds. */
const LINGER = 15_000;

export const settings = () => ({});

export const types = () => ['hype_train_begin', 'hype_train_progress', 'hype_train_end'];

export function view(alerts, _, now) {
  const train = alerts.at(-1);
  if (!train) return null;
  const { level, total } = train;
  if (train.type === 'hype_train_end') {
    return now - Date.parse(train.occurred_at) < LINGER ? { level, total, left: null } : null;
  }
  const left = (Date.parse(train.expires_at) - now) / 1000;
  // Without a time it can't be told that its end was missed.
  return left > 0 ? { level, total, left: Math.ceil(left), progress: train.progress ?? 0, goal: train.goal ?? 1 } : null;
}

export const render = ({ level, total, left, progress, goal }) => left === null
  ? [element('p', { class: 'heading' }, `The hype train reached level ${number(level)}!`),
    element('p', { class: 'quiet' }, `${number(total)} points`)]
  : [element('p', { class: 'line' }, element('span', { class: 'heading' }, `Hype train, level ${number(level)}`),
    element('span', { class: 'quiet' }, countdown(left))),
  element('progress', { max: Math.max(goal, 1), value: Math.max(0, Math.min(progress, goal)), 'aria-label': 'Points on this level' }),
  element('p', { class: 'quiet' }, `${number(progress)} of ${number(goal)}`)];
