// Shows alerts as cards, one at a time.

import { element, isolated } from './dom.js';
import { KINDS } from './kinds.js';
import { play, silence } from './sound.js';
import { fill } from './template.js';

/** The length of the animation of `leaving` in overlay.css. */
const LEAVE_MS = 400;

/** Waits, or until the signal is aborted. */
const sleep = (milliseconds, signal) => new Promise(resolve => {
  setTimeout(resolve, milliseconds);
  signal?.addEventListener('abort', resolve);
});

/** Shows one alert in this place, with its sound, and removes it after its duration or when `signal` is aborted. */
export async function showAlert(place, alert, settings, { isMuted = false, signal } = {}) {
  const kind = KINDS[alert.type];
  if (!kind) return;
  const { text, image, sound } = settings.of[alert.type];
  const card = cardOf(kind, alert, text, image);
  place.replaceChildren(card);
  play(isMuted ? 'none' : sound, settings.volume / 100);
  await sleep(settings.duration * 1000, signal);
  if (signal?.aborted) silence();
  card.classList.add('leaving');
  await sleep(LEAVE_MS);
  card.remove();
}

function cardOf(kind, alert, text, image) {
  const values = kind.values(alert);
  const parts = fill(text, values).map(part => part.isValue ? isolated('strong', {}, part.text) : part.text);
  const message = values.message && !text.includes('{message}') ? isolated('p', { class: 'message' }, values.message) : null;
  const label = alert.is_test ? `${kind.label} · test` : kind.label;
  return element('article', { class: `alert alert-${alert.type}`, 'data-id': alert.id ?? '' },
    image ? element('img', { class: 'image', src: image, alt: '' }) : null,
    element('div', { class: 'words' },
      element('p', { class: 'label' }, label),
      element('p', { class: 'text' }, ...parts),
      message));
}
