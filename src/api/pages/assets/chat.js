// The overlay that shows chat.

import { tokenInAddress } from './api.js';
import { readable } from './color.js';
import { Cursor } from './cursor.js';
import { element, isolated } from './dom.js';
import { Feed } from './feed.js';
import { applyLook, panelOf } from './look.js';
import { settingsProblems, showNotice, showState, startFeed } from './notice.js';
import { IS_PREVIEW, followPage } from './preview.js';
import { NAME, SavedSettings } from './saved.js';
import { chatSettings } from './settings.js';

const saved = new SavedSettings('chat');
const list = document.getElementById('messages');
let settings = null;
let complaints = [];
adopt(await saved.load());
const cursor = new Cursor('chat', NAME ? `@${NAME}` : settings.channel);
const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;

const handlers = {
  message: message => {
    if (feed.now() - Date.parse(message.occurred_at) > settings.max_age * 60_000 && !message.is_replay) return;
    if (!isEmpty(message)) list.append(line(message));
    trim();
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

/** Takes over settings. Other channels need another page. */
function adopt({ query, problems }) {
  const [read, before] = [chatSettings(query), settings];
  complaints = settingsProblems([...problems, ...read.problems]);
  settings = read.settings;
  if (before !== null && settings.channel !== before.channel && !IS_PREVIEW) return location.reload();
  applyLook(settings.look);
  trim();
  return before !== null && showNotice(complaints);
}

function trim() {
  while (list.children.length > settings.max) list.firstElementChild.remove();
}

function remove(matches) {
  for (const item of [...list.children]) if (matches(item)) item.remove();
}

/** Whether there is nothing to read in it: neither a text of Twitch's nor of the user's. */
function isEmpty({ notice, fragments }) {
  return !notice?.text.trim() && !fragments.some(({ text }) => text.trim());
}

/** A line of chat. Twitch's notice stands before the text that the user wrote with it. */
function line({ message_id, source_message_id, user, channel, color, notice, fragments, is_action }) {
  const name = isolated('span', { class: 'name' }, user?.display_name ?? 'Anonymous');
  name.style.color = readable(color, panelOf(settings.look));
  const data = { 'data-message': message_id, 'data-source': source_message_id, 'data-user': user?.id, 'data-channel': channel.id };
  return element('li', { class: is_action ? 'action' : null, ...data },
    notice?.text ? isolated('p', { class: 'notice' }, notice.text) : null,
    ...fragments.length > 0 ? [name, ' ', isolated('span', { class: 'said' }, ...fragments.map(piece))] : []);
}

/** Emotes are pictures of Twitch's; everything else is text. */
function piece({ text, emote }) {
  if (!/^\w+$/.test(emote?.id ?? '')) return text;
  const format = isStill || !emote.formats?.includes('animated') ? 'static' : 'animated';
  const source = `https://static-cdn.jtvnw.net/emoticons/v2/${emote.id}/${format}/dark/2.0`;
  return element('img', { class: 'emote', src: source, alt: text, title: text });
}

if (IS_PREVIEW) {
  followPage({ onSettings: query => adopt({ query, problems: [] }), onShow: message => list.append(line(message)) });
} else {
  startFeed(feed, complaints);
}
