// The overlay with the bar of a goal.

import { element, isolated } from './dom.js';
import { number } from './format.js';

export const title = 'Goal';
export const isWide = true;

/** For how long a goal that is reached stays, in milliseconds. */
const LINGER = 60_000;

const NAMES = { follow: 'Followers', subscription: 'Subscriptions', subscription_count: 'Subscribers',
  new_subscription: 'New subscriptions', new_subscription_count: 'New subscribers', new_bit: 'Bits', new_cheerer: 'Cheerers' };

/** `kind` chooses one of several goals, such as `follow`; `text` stands above the bar. */
export const settings = read => ({ kind: read.text('kind'), text: read.text('text') });

export const types = () => ['goal_begin', 'goal_progress', 'goal_end'];

export function view(alerts, { kind, text }, now) {
  const goal = alerts.filter(it => !kind || it.kind === kind).at(-1);
  const isOver = goal?.type === 'goal_end' && !(goal.is_achieved && now - Date.parse(goal.occurred_at) < LINGER);
  if (!goal || isOver) return null;
  const { current, target } = goal;
  return { text: text ?? (goal.description || (NAMES[goal.kind] ?? 'Goal')), current, target };
}

export const render = ({ text, current, target }) => [
  element('p', { class: 'line' }, isolated('span', { class: 'heading' }, text),
    element('span', { class: 'quiet' }, `${number(current)} of ${number(target)}`)),
  element('progress', { max: Math.max(target, 1), value: Math.max(0, Math.min(current, target)), 'aria-label': title }),
];
