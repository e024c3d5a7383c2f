// The overlay that shows alerts.

import { tokenInAddress } from './api.js';
import { Control } from './control.js';
import { Cursor } from './cursor.js';
import { Feed } from './feed.js';
import { applyLook } from './look.js';
import { settingsProblems, showNotice, showState, startFeed } from './notice.js';
import { IS_PREVIEW, followPage } from './preview.js';
import { Queue } from './queue.js';
import { NAME, SavedSettings } from './saved.js';
import { alertSettings } from './settings.js';
import { showAlert } from './alert-card.js';
import { silence } from './sound.js';
import { hush } from './speech.js';

const REPORT_MS = 500;
/** Followers that may wait for their turn; more are shown together. */
const FOLLOWERS_AT_ONCE = 5;

const saved = new SavedSettings('alerts');
const place = document.getElementById('stage');
const queue = new Queue(show, ({ alert }) => control.of(alert).paused_at !== null);

let settings = null;
let complaints = [];
let control = new Control();
/** The alert that is on, and what ends it. */
let present = null;
let furthest = 0;
/** How many alerts waited when the server was told. */
let reported = 0;

adopt(await saved.load());
const cursor = new Cursor('alerts', NAME ? `@${NAME}` : settings.channel, NAME ? null : new URLSearchParams(location.search).get('types'));

const feed = new Feed({
  path: '/live/alerts',
  query: { ...selection(settings), overlay: true },
  token: tokenInAddress(),
  cursor: cursor.value,
  on: {
    event: (name, content, id) => handlers[name]?.(content, id),
    position: id => queue.isIdle && cursor.moveTo(id),
    resync: newest => {
      queue.keep(() => false);
      furthest = 0;
      cursor.reset(newest);
    },
    state: (state, problem) => {
      // A new connection begins with none.
      if (state === 'open') reported = 0;
      showState(state, problem, complaints);
    },
  },
});

const handlers = {
  alert: (alert, id) => queue.push({ alert, id, heldFor: 0 }),
  control: obey,
  settings: async versions => saved.haveChanged(versions) && adopt(await saved.load()),
};

/** What of the feed is shown. */
function selection({ channel, types }) {
  return { ...channel && { channel }, type: types.join(',') };
}

/** Takes over settings. Another feed needs another page. */
function adopt({ query, variations, problems }) {
  const [read, before] = [alertSettings(query, variations), settings];
  complaints = settingsProblems([...problems, ...read.problems]);
  settings = read.settings;
  if (before === null) return applyLook(settings.look);
  if (!IS_PREVIEW && JSON.stringify(selection(settings)) !== JSON.stringify(selection(before))) return location.reload();
  applyLook(settings.look);
  return showNotice(complaints);
}

async function show(item) {
  moveCursor(item.id);
  const { alert } = item;
  if (isOld(item) || item.id !== null && control.clears(item)) return;
  present = { alert, ending: new AbortController() };
  const isMuted = control.of(alert).is_muted;
  await showAlert(place, settings.blocked.starAlert(alert), settings, { isMuted, signal: present.ending.signal, count: followersWith(item) });
  present = null;
}

/** How many followers are shown at once, this one among them, if too many wait; null otherwise. */
function followersWith({ alert }) {
  if (alert.type !== 'follow' || alert.is_replay) return null;
  const others = queue.waiting.filter(it =>
    it.alert.type === 'follow' && it.alert.channel.id === alert.channel.id && it.id !== null && !isOld(it));
  if (others.length < FOLLOWERS_AT_ONCE) return null;
  queue.keep(it => !others.includes(it));
  moveCursor(Math.max(...others.map(it => it.id)));
  return others.length + 1;
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
  if (present && control.of(present.alert).is_muted) {
    silence();
    hush();
  }
  queue.go();
}

/** Tells the server how many alerts wait, for the dashboard. */
function report() {
  const waiting = queue.waiting.length;
  if (waiting === reported) return;
  reported = waiting;
  feed.send({ waiting });
}

if (IS_PREVIEW) {
  followPage({
    onSettings: (query, variations) => adopt({ query, variations, problems: [] }),
    onShow: alert => {
      present?.ending.abort();
      queue.push({ alert: { ...alert, is_replay: true }, id: null, heldFor: 0 });
    },
  });
} else {
  setInterval(report, REPORT_MS);
  startFeed(feed, complaints);
}
