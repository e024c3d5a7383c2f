// The overlay that shows chat.

import { call, tokenInAddress } from './api.js';
import { isHidden } from './chat-filter.js';
import { contentOf, lineOf } from './chat-line.js';
import { ChatPictures } from './chat-pictures.js';
import { Cursor } from './cursor.js';
import { Feed } from './feed.js';
import { applyLook } from './look.js';
import { settingsProblems, showNotice, showState, startFeed } from './notice.js';
import { IS_PREVIEW, followPage } from './preview.js';
import { NAME, SavedSettings } from './saved.js';
import { chatSettings } from './settings.js';

/** The length of the animation of `leaving` in overlay.css. */
const LEAVE_MS = 400;
const TICK_MS = 250;
const RELOAD_MS = 60_000;
const MAX_RELOADS = 3;
/** When this page was loaded again for its policy, as JSON. */
const RELOADED = 'showtime.chat.reloaded';
/** Where the pictures of emotes are that only the policy of a page with these emotes allows. */
const EMOTE_ORIGINS = ['https://cdn.7tv.app', 'https://cdn.betterttv.net', 'https://cdn.frankerfacez.com'];

const saved = new SavedSettings('chat');
const list = document.getElementById('messages');
/** Of each line: its message, and when it was shown. */
const lines = new WeakMap();
const ask = async (channel, path) => IS_PREVIEW ? {} : call(tokenInAddress(), 'GET', `/channels/${encodeURIComponent(channel)}/chat/${path}`);
const pictures = new ChatPictures(
  channel => ask(channel, 'pictures'),
  channel => ask(channel, `emotes?services=${settings.emotes.join()}`),
  channel => redraw(({ message }) => message.channel.id === channel));
let settings = null;
let complaints = [];
adopt(await saved.load());
const cursor = new Cursor('chat', NAME ? `@${NAME}` : settings.channel);

const handlers = {
  message: message => {
    if (feed.now() - Date.parse(message.occurred_at) > settings.max_age * 60_000 && !message.is_replay) return;
    if (!isHidden(message, settings)) show(message);
  },
  message_deleted: ({ message_id }) => remove(it => [it.dataset.message, it.dataset.source].includes(message_id)),
  messages_cleared: ({ user, channel }) =>
    remove(it => it.dataset.channel === channel.id && (!user || it.dataset.user === user.id)),
  settings: async versions => saved.haveChanged(versions) && adopt(await saved.load()),
};

const feed = new Feed({
  path: '/live/chat',
  query: { ...settings.channel && { channel: settings.channel }, overlay: true },
  token: tokenInAddress(),
  cursor: cursor.value,
  on: {
    event: (name, content, id) => {
      cursor.moveTo(id);
      handlers[name]?.(content);
    },
    position: id => cursor.moveTo(id),
    resync: newest => {
      list.replaceChildren();
      cursor.reset(newest);
    },
    state: (state, problem) => showState(state, problem, complaints),
  },
});

/** Takes over settings. Other channels need another page, and so do pictures of other services, which the policy of a page names. */
function adopt({ query, problems }) {
  const [read, before] = [chatSettings(query), settings];
  complaints = settingsProblems([...problems, ...read.problems]);
  settings = read.settings;
  const needsPage = ({ channel, emotes }) => channel !== settings.channel || emotes.join() !== settings.emotes.join();
  if (before !== null && needsPage(before) && !IS_PREVIEW) return location.reload();
  applyLook(settings.look);
  document.body.dataset.direction = settings.direction;
  if (before !== null && settings.direction !== before.direction) list.append(...[...list.children].reverse());
  remove(it => isHidden(lines.get(it).message, settings));
  redraw(() => true);
  trim();
  return before !== null && showNotice(complaints);
}

function show(message) {
  const line = lineOf(message);
  lines.set(line, { message, at: performance.now() });
  line.append(...contentOf(message, settings, pictures));
  if (settings.direction === 'down') list.prepend(line);
  else list.append(line);
  trim();
}

function redraw(isChosen) {
  for (const line of list.children) {
    const shown = lines.get(line);
    if (isChosen(shown)) line.replaceChildren(...contentOf(shown.message, settings, pictures));
  }
}

/** Removes the oldest lines while there are too many, or the newest is not in sight. */
function trim() {
  const isDown = settings.direction === 'down';
  const [newest, oldest] = isDown ? ['firstElementChild', 'lastElementChild'] : ['lastElementChild', 'firstElementChild'];
  while (list.children.length > settings.max || list.children.length > 1 && !isInSight(list[newest])) list[oldest].remove();
}

/** Whether a line is within the list; its animation does not count. */
function isInSight({ offsetTop, offsetHeight }) {
  return offsetTop >= list.offsetTop && offsetTop + offsetHeight <= list.offsetTop + list.clientHeight;
}

function remove(matches) {
  for (const item of [...list.children]) if (matches(item)) item.remove();
}

/** Has lines go whose time is over. */
function expire() {
  if (settings.lifetime === null) return;
  const last = performance.now() - settings.lifetime * 1000;
  for (const line of list.children) {
    if (lines.get(line).at > last || line.classList.contains('leaving')) continue;
    line.classList.add('leaving');
    setTimeout(() => line.remove(), LEAVE_MS);
  }
}

/**
 * The server could not read the saved settings when it made the policy of this page, which forbids an emote: the page is loaded again,
 * once a minute and three times at most. After that the emote stays a word.
 */
function reloadForPolicy({ effectiveDirective, blockedURI }) {
  const isEmote = EMOTE_ORIGINS.some(origin => `${blockedURI}/`.startsWith(`${origin}/`));
  if (NAME === null || effectiveDirective !== 'img-src' || !isEmote) return;
  const times = JSON.parse(sessionStorage.getItem(RELOADED) ?? '[]');
  if (times.length >= MAX_RELOADS || Date.now() - (times.at(-1) ?? 0) < RELOAD_MS) return;
  sessionStorage.setItem(RELOADED, JSON.stringify([...times, Date.now()]));
  location.reload();
}

addEventListener('securitypolicyviolation', reloadForPolicy);
setInterval(expire, TICK_MS);
if (IS_PREVIEW) {
  followPage({ onSettings: query => adopt({ query, problems: [] }), onShow: message => isHidden(message, settings) || show(message) });
} else {
  startFeed(feed, complaints);
}
