// The overlay that lists the last alerts.

import { element, isolated } from './dom.js';
import { KINDS } from './kinds.js';
import { fill } from './template.js';

export const title = 'Events';

/** `types` chooses the types of alerts; `max` is how many are shown. */
export const settings = read => ({ types: read.types(), max: read.number('max', { min: 1, max: 20, fallback: 5, unit: 'events' }) });

export const types = settings => settings.types;

/** The newest first. */
export function view(alerts, { max }) {
  const rows = alerts.slice(-max).reverse().map(alert => fill(KINDS[alert.type].text, KINDS[alert.type].values(alert)));
  return rows.length > 0 ? rows : null;
}

export const render = rows => [element('ol', {}, ...rows.map(parts =>
  element('li', {}, ...parts.map(part => part.isValue ? isolated('strong', {}, part.text) : part.text))))];
