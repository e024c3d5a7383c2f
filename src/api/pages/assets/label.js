// The overlay that names the last follower, subscriber, cheerer or raider.

import { element, isolated } from './dom.js';
import { KINDS } from './kinds.js';
import { fill } from './template.js';

export const title = 'Label';

/** By the setting `of`: the types of alerts, and the usual text. */
export const LABELS = {
  follower: { types: ['follow'], text: 'Latest follower: {user}' },
  subscriber: { types: ['subscribe', 'resubscribe'], text: 'Latest subscriber: {user}' },
  gift: { types: ['gift'], text: 'Latest gift: {user} ({total})' },
  cheer: { types: ['cheer'], text: 'Latest cheer: {user} ({bits})' },
  raid: { types: ['raid'], text: 'Latest raid: {user} ({viewers})' },
};

/** `of` chooses what is named; `text` is the text, with the placeholders of that alert. */
export function settings(read) {
  const of = read.choice('of', Object.keys(LABELS));
  return { of, text: read.template('text', KINDS[LABELS[of].types[0]]) ?? LABELS[of].text };
}

export const types = ({ of }) => LABELS[of].types;

export function view(alerts, { text }) {
  const alert = alerts.at(-1);
  return alert ? fill(text, KINDS[alert.type].values(alert)) : null;
}

export const render = parts =>
  [element('p', {}, ...parts.map(part => part.isValue ? isolated('strong', {}, part.text) : part.text))];
