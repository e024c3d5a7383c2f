// What the preview shows of the small overlays.

import { KINDS } from './kinds.js';
import { LABELS } from './label.js';
import { Reader } from './settings.js';

const MINUTE = 60_000;
const { channel } = KINDS.follow.example;

/** An alert as it would come now. */
const alert = (example, now, index = 0) => ({ id: index, channel, occurred_at: new Date(now).toISOString(), is_test: false, is_replay: false, ...example });

/** The types of alerts that the overlay of events lists: those that are chosen, or some of the usual ones. */
function listed(settings) {
  const chosen = new Reader(settings).list('types').filter(type => Object.hasOwn(KINDS, type));
  return chosen.length > 0 ? chosen : ['follow', 'cheer', 'subscribe', 'raid'];
}

/** By overlay: the alerts before it is shown, given the time and its settings as a query. */
const EXAMPLES = {
  goal: (_, settings) => [{ ...KINDS.goal_progress.example, kind: settings.get('kind') ?? 'follow', current: 42, description: '' }],
  label: (_, settings) => [KINDS[(LABELS[settings.get('of')] ?? LABELS.follower).types[0]].example],
  events: (_, settings) => listed(settings).map(type => KINDS[type].example),
  'hype-train': now => [{ ...KINDS.hype_train_progress.example, progress: 450, goal: 1_800, expires_at: new Date(now + 4 * MINUTE).toISOString() }],
  poll: now => [{ ...KINDS.poll_progress.example, ends_at: new Date(now + 2 * MINUTE).toISOString() }],
  clock: now => [{ ...KINDS.online.example, started_at: new Date(now - 83 * MINUTE).toISOString() }],
};

/** Examples of the alerts of a small overlay with these settings. */
export const examplesOf = (overlay, settings, now = Date.now()) =>
  EXAMPLES[overlay](now, settings).map((example, index) => alert(example, now, index + 1));
