// The overlay that shows alerts.

import { tokenInAddress } from './api.js';
import { Cursor } from './cursor.js';
import { Feed } from './feed.js';
import { aboutSettings, begin, tell } from './hint.js';
import { Queue } from './queue.js';
import { alertSettings } from './settings.js';
import { show } from './stage.js';

const { settings, problems } = alertSettings(new URLSearchParams(location.search));
const place = document.getElementById('stage');
const complaints = aboutSettings(problems);

// An alert counts as shown when it begins to be: a reload in the middle of it does not repeat it.
const cursor = new Cursor('alerts', settings.channel, new URLSearchParams(location.search).get('types'));
const queue = new Queue(({ alert, id }) => {
  cursor.moveTo(id);
  return show(place, alert, settings);
});

const feed = new Feed({
  path: '/live/alerts',
  query: { ...settings.channel && { channel: settings.channel }, type: settings.types.join(',') },
  token: tokenInAddress(),
  cursor: cursor.value,
  on: {
    event: (_, alert, id) => isOld(alert) ? passOver(id) : queue.push({ alert, id }),
    position: passOver,
    resync: newest => {
      queue.clear();
      cursor.reset(newest);
    },
    state: (state, problem) => tell(state, problem, complaints),
  },
});

/** What happened during a long pause is no news. A replay was asked for. */
function isOld(alert) {
  return !alert.is_replay && feed.now() - Date.parse(alert.occurred_at) > settings.max_age * 60_000;
}

/** Nothing is to be shown up to there, unless something before it still waits. */
function passOver(id) {
  if (queue.isIdle) cursor.moveTo(id);
}

begin(feed, complaints);
