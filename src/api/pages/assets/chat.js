// The overlay that shows chat.

import { tokenInAddress } from './api.js';
import { readable } from './color.js';
import { Cursor } from './cursor.js';
import { element } from './dom.js';
import { Feed } from './feed.js';
import { NO_TOKEN, aboutRefusal, aboutSettings, hint } from './hint.js';
import { chatSettings } from './settings.js';

const { settings, problems } = chatSettings(new URLSearchParams(location.search));
const list = document.getElementById('messages');
const complaints = aboutSettings(problems);
const cursor = new Cursor('chat', settings.channel);
const movement = matchMedia('(prefers-reduced-motion: reduce)').matches ? 'static' : 'default';

const handlers = {
  message: message => {
    if (feed.now() - Date.parse(message.occurred_at) > settings.max_age * 60_000 && !message.is_replay) return;
    list.append(line(message));
    while (list.children.length > settings.max) list.firstElementChild.remove();
  },
  message_deleted: ({ message_id }) => remove(it => it.dataset.message === message_id),
  messages_cleared: ({ user, channel }) =>
    remove(it => it.dataset.channel === channel.id && (!user || it.dataset.user === user.id)),
};

const feed = new Feed({
  path: '/live/chat',
  query: settings.channel ? { channel: settings.channel } : {},
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
    state: (state, problem) => hint(state === 'refused' ? [...complaints, aboutRefusal(problem)] : complaints),
  },
});

function remove(isMeant) {
  for (const item of [...list.children]) if (isMeant(item)) item.remove();
}

function line(message) {
  const name = element('span', { class: 'name' }, message.user.display_name);
  name.style.color = readable(message.color);
  const data = { 'data-message': message.message_id, 'data-user': message.user.id, 'data-channel': message.channel.id };
  return element('li', data, name, ' ', element('span', { class: 'said' }, ...message.fragments.map(piece)));
}

/** Emotes are pictures of Twitch's; everything else is text. */
function piece({ type, text, emote }) {
  if (type !== 'emote' || !/^\w+$/.test(emote?.id ?? '')) return text;
  const source = `https://static-cdn.jtvnw.net/emoticons/v2/${emote.id}/${movement}/dark/2.0`;
  return element('img', { class: 'emote', src: source, alt: text, title: text });
}

hint(tokenInAddress() ? complaints : [...complaints, NO_TOKEN]);
if (tokenInAddress()) feed.start();
addEventListener('hashchange', () => location.reload());
