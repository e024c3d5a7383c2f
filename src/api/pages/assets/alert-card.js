// Shows alerts as cards, one at a time.

import { element, isolated } from './dom.js';
import { KINDS } from './kinds.js';
import { fill } from './template.js';

/** The length of the animation of `leaving` in overlay.css. */
const LEAVE_MS = 400;

const sleep = milliseconds => new Promise(resolve => setTimeout(resolve, milliseconds));

/** Shows one alert in this place, with its sound, and removes it after its duration. */
export async function showAlert(place, alert, settings) {
  const kind = KINDS[alert.type];
  if (!kind) return;
  const { text, image, sound } = settings.of[alert.type];
  const card = cardOf(kind, alert, text, image);
  place.replaceChildren(card);
  play(sound, settings.volume / 100);
  await sleep(settings.duration * 1000);
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

/** OBS lets pages play sounds; a browser may require a click first, and then it stays silent. */
function play(sound, volume) {
  if (sound === 'none' || volume === 0) return;
  if (sound === 'chime') return chime(volume);
  const audio = new Audio(sound);
  audio.volume = volume;
  audio.play().catch(() => {});
}

let output = null;

/** Two synthesised tones: nothing to load, nothing to license. */
function chime(volume) {
  output ??= new AudioContext();
  output.resume().catch(() => {});
  for (const [frequency, delay] of [[659.25, 0], [987.77, 0.12]]) {
    const [tone, loudness] = [output.createOscillator(), output.createGain()];
    const begin = output.currentTime + delay;
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0, begin);
    loudness.gain.linearRampToValueAtTime(volume * 0.4, begin + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.0001, begin + 1.2);
    tone.connect(loudness).connect(output.destination);
    tone.start(begin);
    tone.stop(begin + 1.3);
  }
}
