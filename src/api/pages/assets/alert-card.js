// Shows alerts as cards, one at a time.

import { element, isolated } from './dom.js';
import { KINDS } from './kinds.js';
import { play, silence } from './sound.js';
import { speak, spoken } from './speech.js';
import { fill } from './template.js';
import { variantOf } from './variant.js';

/** The length of the animation of `leaving` in overlay.css. */
const LEAVE_MS = 400;

/** Waits, or until the signal is aborted. */
const sleep = (milliseconds, signal) => new Promise(resolve => {
  setTimeout(resolve, milliseconds);
  signal?.addEventListener('abort', resolve);
});

/**
 * Shows one alert in this place, with its sound, and removes it after its duration and when its message was read out, or when
 * `signal` is aborted. With `count`, it is the alert of so many followers.
 */
export async function showAlert(place, alert, settings, { isMuted = false, signal, count = null } = {}) {
  const kind = KINDS[alert.type];
  const variant = kind && variantOf(alert, kind, settings.of[alert.type]);
  if (!variant) return;
  const { image, sound, duration, animation, size } = variant;
  const values = { ...kind.values(alert), ...count !== null && { count } };
  const parts = fill(count === null ? variant.text : settings.followers, values, settings.language);
  const card = cardOf(count === null ? kind.label : 'New followers', alert, parts, values.message, image);
  card.classList.add(`by-${animation}`);
  if (size !== null) card.style.fontSize = `${size}%`;
  place.replaceChildren(card);
  play(isMuted ? 'none' : sound, settings.volume / 100);
  const reading = isMuted ? null : speak(spoken(alert, settings.speech), settings, signal);
  await Promise.all([sleep(duration * 1000, signal), reading]);
  if (signal?.aborted) silence();
  card.classList.add('leaving');
  await sleep(LEAVE_MS);
  card.remove();
}

/** An image, or a silent video as one. */
function picture(src) {
  if (!/\.(webm|mp4)$/i.test(src)) return element('img', { class: 'image', src, alt: '' });
  const video = element('video', { class: 'image', src, loop: true, playsinline: true, 'aria-hidden': 'true' });
  Object.assign(video, { muted: true, autoplay: true });
  return video;
}

function cardOf(label, alert, parts, message, image) {
  const isInText = parts.some(part => part.isValue && part.text === message);
  return element('article', { class: `alert alert-${alert.type}`, 'data-id': alert.id ?? '' },
    image ? picture(image) : null,
    element('div', { class: 'words' },
      element('p', { class: 'label' }, alert.is_test ? `${label} · test` : label),
      element('p', { class: 'text' }, ...parts.map(part => part.isValue ? isolated('strong', {}, part.text) : part.text)),
      message && !isInText ? isolated('p', { class: 'message' }, message) : null));
}
