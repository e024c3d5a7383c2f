// The dashboard: signs in, and connects its parts with the feeds.

import { Actions } from './actions.js';
import { AlertControl } from './alert-control.js';
import { call, keepToken, takeToken } from './api.js';
import { Channels } from './channels.js';
import { Connection } from './connection.js';
import { Demo, showSetup } from './demo.js';
import { Events } from './events.js';
import { Feed } from './feed.js';
import { Health } from './health.js';
import { Rules } from './rules.js';
import { Sinks } from './sinks.js';
import { toast } from './toast.js';
import { offerTests } from './test-buttons.js';

const $ = id => document.getElementById(id);

function start(token) {
  $('sign-in').hidden = true;
  $('board').hidden = $('sign-out').hidden = false;
  const ask = (method, path, body) => call(token, method, path, body);
  const [channels, demo] = [new Channels(ask), new Demo(ask, token)];
  const health = new Health(ask, status => {
    showSetup(status.setup);
    connection.status = status;
  });
  const connection = new Connection(() => health.load());
  const events = new Events(ask, channels);
  channels.onKnown = known => {
    demo.update(known);
    events.nameChannels();
  };
  events.onUnread = count => showTitle(count, channels.liveName());
  offerTests(ask, channels);
  new Feed({ path: '/live/state', token, on: {
    event: (name, content) => name === 'snapshot' ? channels.replace(content.channels) : channels.update(content),
    state: (state, problem) => {
      if (problem?.status === 401) return signOut(problem.detail);
      connection.feed = state;
      if (problem) toast(problem.detail, true);
    },
  } }).start();
  let isLoaded = false;
  new Feed({ path: '/live/events', token, on: {
    event: (_, event) => {
      events.add(event);
      channels.count(event);
    },
    // Those that come from now on are not missed; what came before is loaded once.
    state: state => {
      if (state !== 'open' || isLoaded) return;
      isLoaded = true;
      events.load();
    },
    resync: () => events.load(),
  } }).start();
  showForAdmin(ask, demo);
  health.start();
}

/** `● 3 – MapleArcade`: whether a channel is live, what was not read, and which channel it is. */
function showTitle(unread, live) {
  document.title = [live && '●', unread || null, unread || live ? '–' : null, live ?? 'showtime'].filter(Boolean).join(' ');
}

/** Shows the cards that need an admin's token, if it is one. */
async function showForAdmin(ask, demo) {
  const { scope } = await ask('GET', '/tokens/current').catch(() => ({}));
  if (scope !== 'admin') return;
  new AlertControl(ask).start();
  demo.offer();
  new Rules(ask).start();
  new Actions(ask).start();
  new Sinks(ask).start();
}

function askForToken(problem = '') {
  $('sign-in').hidden = false;
  $('board').hidden = $('sign-out').hidden = true;
  $('token-problem').textContent = problem;
  $('token').focus();
}

/** Forgets the token and reloads, so that nothing stays on the page. */
function signOut(problem) {
  keepToken(null);
  if (problem) sessionStorage.setItem('showtime.problem', problem);
  location.reload();
}

async function signIn(event) {
  event.preventDefault();
  const token = $('token').value.trim();
  try {
    await call(token, 'GET', '/channels?limit=1');
    keepToken(token);
    start(token);
    $('main').focus();
  } catch (error) {
    askForToken(error.message);
  }
}

addEventListener('hashchange', () => {
  if (location.hash.includes('token=')) location.reload();
});
$('sign-in').querySelector('form').addEventListener('submit', signIn);
$('sign-out').addEventListener('click', () => signOut(null));

const token = takeToken();
if (token) {
  start(token);
} else {
  askForToken(sessionStorage.getItem('showtime.problem') ?? '');
  sessionStorage.removeItem('showtime.problem');
}
