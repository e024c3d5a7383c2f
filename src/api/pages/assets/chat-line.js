// A line of chat.

import { readable } from './color.js';
import { element, isolated } from './dom.js';
import { panelOf } from './look.js';

const isStill = matchMedia('(prefers-reduced-motion: reduce)').matches;

/** How lines look by the type of their message. */
const CLASSES = {
  channel_points_highlighted: 'highlight',
  power_ups_gigantified_emote: 'giant',
  user_intro: 'first',
};

/** The element of a line, still empty. */
export function lineOf({ message_id, source_message_id, user, channel, is_action, message_type, notice }) {
  const isAnnouncement = notice?.type.endsWith('announcement') ?? false;
  const classes = [is_action && 'action', CLASSES[message_type], isAnnouncement && `announcement ${notice.color ?? 'primary'}`].filter(Boolean);
  return element('li', {
    class: classes.join(' ') || null,
    'data-message': message_id,
    'data-source': source_message_id,
    'data-user': user?.id,
    'data-channel': channel.id,
  });
}

/** What stands in the line. Twitch's notice stands before the text that the user wrote with it. */
export function contentOf(message, settings, pictures) {
  const { user, channel, color, notice, badges, fragments, reply, message_type, bits } = message;
  const panel = panelOf(settings.look);
  const look = { ground: settings.look.theme === 'light' ? 'light' : 'dark', panel, pictures, channel: channel.id, emotes: settings.emotes };
  const name = isolated('span', { class: 'name' }, user?.display_name ?? 'Anonymous');
  name.style.color = readable(color, panel);
  const shown = badges.map(badge => pictures.badge(channel.id, badge)).filter(Boolean).map(badgePicture);
  return [
    message_type === 'user_intro' ? element('p', { class: 'notice' }, 'First message') : null,
    notice?.text ? isolated('p', { class: 'notice' }, notice.text) : null,
    reply ? isolated('p', { class: 'reply' }, `↩ @${settings.blocked.star(reply.user.display_name)}: ${settings.blocked.star(reply.text)}`) : null,
    ...fragments.length === 0 ? [] : [
      ...shown.length > 0 ? [element('span', { class: 'badges' }, ...shown), ' '] : [],
      name, ' ',
      isolated('span', { class: 'said' }, ...laid(fragments.flatMap(fragment => pieces(fragment, bits, look)))),
    ],
  ].filter(Boolean);
}

/** A fragment as emote, cheermote, mention or text. IRC does not tell which words of a cheer are cheermotes. */
function pieces({ type, text, emote, cheermote }, bits, look) {
  if (cheermote) return [cheer(text, cheermote.prefix, cheermote.bits, look)];
  if (type === 'mention') return [isolated('span', { class: 'mention' }, text)];
  if (/^\w+$/.test(emote?.id ?? '')) return [emotePicture(text, emote, look)];
  if (!bits && look.emotes.length === 0) return [text];
  return text.split(/(\s+)/).map(word => {
    const [, prefix, number] = bits ? /^([a-z]+)(\d+)$/i.exec(word) ?? [] : [];
    return prefix ? cheer(word, prefix, Number(number), look) : ownEmote(word, look);
  });
}

/** The picture of an emote of another service, or the word. */
function ownEmote(word, { pictures, channel, emotes }) {
  const found = emotes.length > 0 && word.trim() !== '' ? pictures.emote(channel, word) : undefined;
  if (!found) return word;
  return picture(found.is_zero_width ? 'emote over' : 'emote', isStill ? found.still_url : found.url, word, word);
}

/** Lays emotes of no width over the emote before them; where there is none, they stand for themselves. */
function laid(pieces) {
  const made = [];
  for (const piece of pieces) {
    const below = made.findLastIndex(it => typeof it !== 'string' || it.trim() !== '');
    if (piece.classList?.contains('over') && made[below]?.matches?.('.emote, .stack')) {
      const stack = made[below].matches('.stack') ? made[below] : element('span', { class: 'stack' }, made[below]);
      // The space stands before the word, if its picture can't be loaded.
      stack.append(' ', piece);
      made.splice(below, Infinity, stack);
    } else {
      made.push(piece);
    }
  }
  return made;
}

function emotePicture(text, { id, formats }, { ground }) {
  const format = isStill || !formats?.includes('animated') ? 'static' : 'animated';
  return picture('emote', `https://static-cdn.jtvnw.net/emoticons/v2/${id}/${format}/${ground}/2.0`, text, text);
}

function badgePicture({ title, url }) {
  return picture('badge', url, title, element('span', { class: 'badge-word' }, title));
}

/** A cheermote with its number, or the word if its picture is not known. */
function cheer(text, prefix, bits, { ground, panel, pictures, channel }) {
  const found = pictures.cheermote(channel, prefix, bits);
  if (!found) return text;
  const count = element('b', {}, String(bits));
  count.style.color = readable(found.color, panel);
  const whole = element('span', { class: 'cheer' });
  whole.append(picture('emote', found[ground][isStill ? 'static' : 'animated'], text, text, whole), count);
  return whole;
}

/** A picture. If it can't be loaded, the word takes its place, or that of the element around it. */
function picture(name, source, alt, word, around) {
  const image = element('img', { class: name, src: source, alt, title: alt, error: () => (around ?? image).replaceWith(word) });
  return image;
}
