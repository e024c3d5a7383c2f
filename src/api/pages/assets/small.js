// The small overlays. Each shows what follows from the last alerts of some types, the settings and the time: a module with
// `title`, `settings(read)`, `types(settings)`, `view(alerts, settings, now, extra)` (plain data, or null for nothing) and
// `render(view)` (elements).

import { call, tokenInAddress } from './api.js';
import * as clock from './clock.js';
import { element } from './dom.js';
import * as events from './event-list.js';
import { Feed } from './feed.js';
import * as goal from './goal.js';
import * as hypeTrain from './hype-train.js';
import * as label from './label.js';
import { applyLook } from './look.js';
import { settingsProblems, showNotice, showState, startFeed } from './notice.js';
import * as poll from './poll.js';
import { IS_PREVIEW, followPage } from './preview.js';
import { SavedSettings } from './saved.js';
import { Reader } from './settings.js';

const OVERLAYS = { goal, label, events, 'hype-train': hypeTrain, poll, clock };
/** Alerts that are kept. */
const KEPT = 40;
/** For how long a test is shown, in milliseconds. */
const TEST_MS = 10_000;
const TICK_MS = 250;
/** Pause between two loads of what no alert tells. */
const LOAD_MS = 30_000;

const name = location.pathname.split('/')[2];
const overlay = OVERLAYS[name];
document.title = `${overlay.title} · showtime`;
document.querySelector('h1').textContent = overlay.title;

const saved = new SavedSettings(name);
const place = document.getElementById('place');

let [settings, blocked, complaints] = [null, null, []];
let [alerts, test, extra, shown] = [[], null, null, 'null'];
adopt(await saved.load());

const feed = new Feed({
  path: '/live/alerts',
  query: { ...settings.channel && { channel: settings.channel }, type: overlay.types(settings).join(','), last: KEPT, overlay: true },
  token: tokenInAddress(),
  on: {
    event: (name, content) => {
      // It keeps nothing that the feed would not send again.
      if (name === 'settings' && saved.haveChanged(content)) return location.reload();
      if (name !== 'alert') return;
      const alert = blocked.starAlert(content);
      if (alert.is_test || alert.is_replay) tryOut(alert);
      else alerts = [...alerts, alert].slice(-KEPT);
      draw();
    },
    resync: () => { alerts = []; },
    state: (state, problem) => showState(state, problem, complaints),
  },
});

/** Takes over settings. */
function adopt({ query, problems }) {
  const read = new Reader(query);
  settings = { channel: read.text('channel'), ...overlay.settings(read) };
  blocked = read.blockedWords();
  applyLook(read.look());
  complaints = settingsProblems([...problems, ...read.problems()]);
}

/** Shows a test or a replay for a moment. It is no news, and one of the past is not shown at all. */
function tryOut(alert) {
  const isOld = feed.now() - Date.parse(alert.occurred_at) > TEST_MS && !alert.is_replay;
  if (!isOld) test = { alert, until: feed.now() + TEST_MS };
}

/** Shows what has changed. */
function draw() {
  const now = feed.now();
  const view = overlay.view(test && now < test.until ? [...alerts, test.alert] : alerts, settings, now, extra);
  const text = JSON.stringify(view);
  if (text === shown) return;
  shown = text;
  if (view === null) return place.replaceChildren();
  // What is there already does not come in again.
  const classes = ['panel', overlay.isWide ? 'wide' : 'fits', place.firstElementChild ? 'stays' : 'comes'];
  return place.replaceChildren(element('section', { class: classes.join(' ') }, ...overlay.render(view)));
}

async function load() {
  extra = await overlay.load(settings, path => call(tokenInAddress(), 'GET', path), feed.now()).catch(() => null);
  draw();
}

setInterval(draw, TICK_MS);
if (IS_PREVIEW) {
  followPage({
    onSettings: query => {
      adopt({ query, problems: [] });
      showNotice(complaints);
    },
    onShow: example => {
      if (Array.isArray(example)) alerts = example.map(alert => blocked.starAlert(alert));
      else extra = example;
    },
  });
} else {
  if (overlay.load && tokenInAddress()) {
    load();
    setInterval(load, LOAD_MS);
  }
  startFeed(feed, complaints);
}
