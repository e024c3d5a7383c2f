// The overlay that shows alerts.

import { tokenInAddress } from './api.js';
import { Control } from './control.js';
import { Cursor } from './cursor.js';
import { Feed } from './feed.js';
import { settingsProblems, showState, startFeed } from './notice.js';
import { Queue } from './queue.js';
import { alertSettings } from './settings.js';
import { showAlert } from './alert-card.js';
import { silence } from './sound.js';

const { settings, problems } = alertSettings(new URLSearchParams(location.search));
const place = document.getElementById('stage');
const complaints = settingsProblems(problems);
const cursor = new Cursor('alerts', settings.channel, new URLSearchParams(location.search).get('types'));
const queue = new Queue(show, ({ alert }) => control.of(alert).paused_at !== null);

let control = new Control();
/** The alert that is on, and what ends it. */
let present = null;
let furthest = 0;

const feed = new Feed({
  path: '/live/alerts',
  query: { ...settings.channel && { channel: settings.channel }, type: settings.types.join(','), overlay: true },
  token: tokenInAddress(),
  cursor: cursor.value,
  on: {
    event: (name, content, id) => name === 'control' ? obey(content) : queue.push({ alert: content, id, heldFor: 0 }),
    position: id => queue.isIdle && cursor.moveTo(id),
    resync: newest => {
      queue.keep(() => false);
      furthest = 0;
      cursor.reset(newest);
    },
    state: (state, problem) => showState(state, problem, complaints),
  },
});

async function show(item) {
  moveCursor(item.id);
  const { alert } = item;
  if (isOld(item) || item.id !== null && control.clears(item)) return;
  present = { alert, ending: new AbortController() };
  const isMuted = control.of(alert).is_muted;
  await showAlert(place, alert, settings, { isMuted, signal: present.ending.signal });
  present = null;
}

/**
 * An alert counts as shown when it begins to be: a reload in the middle of it does not repeat it. But the cursor never passes
 * one that is held back.
 */
function moveCursor(id) {
  furthest = Math.max(furthest, id ?? 0);
  if (!queue.waiting.some(it => it.id !== null && it.id < furthest)) cursor.moveTo(furthest || null);
}

/** Whether an alert is too old to show now that its turn has come. A replay never is: it was asked for. */
function isOld({ alert, heldFor }) {
  return !alert.is_replay && feed.now() - Date.parse(alert.occurred_at) - heldFor > settings.max_age * 60_000;
}

/** Does what is asked of the alerts. */
function obey({ controls }) {
  const before = control;
  control = new Control(controls);
  queue.keep(item => !control.clears(item, before));
  for (const item of queue.waiting) item.heldFor += control.heldFor(item.alert, before, feed.now());
  if (present && control.skips(present.alert, before)) present.ending.abort();
  if (present && control.of(present.alert).is_muted) silence();
  queue.go();
}

startFeed(feed, complaints);
