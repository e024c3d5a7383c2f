// The overlay that shows alerts.

import { tokenInAddress } from './api.js';
import { Cursor } from './cursor.js';
import { Feed } from './feed.js';
import { settingsProblems, showState, startFeed } from './notice.js';
import { Queue } from './queue.js';
import { alertSettings } from './settings.js';
import { showAlert } from './alert-card.js';

const { settings, problems } = alertSettings(new URLSearchParams(location.search));
const place = document.getElementById('stage');
const complaints = settingsProblems(problems);

// An alert counts as shown when it begins to be: a reload in the middle of it does not repeat it.
const cursor = new Cursor('alerts', settings.channel, new URLSearchParams(location.search).get('types'));
const queue = new Queue(async ({ alert, id }) => {
  cursor.moveTo(id);
  if (!isOld(alert)) await showAlert(place, alert, settings);
});

const feed = new Feed({
  path: '/live/alerts',
  query: { ...settings.channel && { channel: settings.channel }, type: settings.types.join(',') },
  token: tokenInAddress(),
  cursor: cursor.value,
  on: {
    event: (_, alert, id) => queue.push({ alert, id }),
    position: skipTo,
    resync: newest => {
      queue.clear();
      cursor.reset(newest);
    },
    state: (state, problem) => showState(state, problem, complaints),
  },
});

/** Whether an alert is too old to show now that its turn has come. A replay never is: it was asked for. */
function isOld(alert) {
  return !alert.is_replay && feed.now() - Date.parse(alert.occurred_at) > settings.max_age * 60_000;
}

/** Moves the cursor past events without an alert, unless alerts before them still wait. */
function skipTo(id) {
  if (queue.isIdle) cursor.moveTo(id);
}

startFeed(feed, complaints);
