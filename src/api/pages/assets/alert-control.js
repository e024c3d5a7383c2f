// The card that controls the alerts of the overlays, for admins.

import { clock } from './format.js';
import { attempt } from './toast.js';

const EVERY_MS = 5_000;
const $ = id => document.getElementById(id);

export class AlertControl {
  #ask;
  #isPaused = false;
  #isMuted = false;

  constructor(ask) {
    this.#ask = ask;
    const on = (id, action, done) => $(id).addEventListener('click', () => this.#send($(id), action(), done));
    on('alerts-pause', () => this.#isPaused ? 'resume' : 'pause', () => this.#isPaused ? 'Alerts wait' : 'Alerts go on');
    on('alerts-skip', () => 'skip', () => 'The present alert ends');
    on('alerts-mute', () => this.#isMuted ? 'unmute' : 'mute', () => this.#isMuted ? 'Alerts are silent' : 'Alerts can be heard');
    on('alerts-clear', () => 'clear', () => 'No alert waits any more');
  }

  /** Shows the card, and keeps it up to date: others control the alerts, too. */
  async start() {
    $('alert-control').hidden = false;
    await this.load();
    setInterval(() => document.hidden || this.load(), EVERY_MS);
  }

  async load() {
    // The connection's badge shows that nothing is known.
    await this.#ask('GET', '/overlays/alerts').then(state => this.#show(state), () => {});
  }

  #send(button, action, done) {
    return attempt(button, async () => this.#show(await this.#ask('POST', `/overlays/alerts/${action}`)), done);
  }

  #show({ overlays, controls }) {
    const paused = controls.filter(it => it.paused_at !== null);
    const muted = controls.filter(it => it.is_muted);
    [this.#isPaused, this.#isMuted] = [paused.length > 0, muted.length > 0];
    $('alerts-pause').setAttribute('aria-pressed', String(this.#isPaused));
    $('alerts-mute').setAttribute('aria-pressed', String(this.#isMuted));
    const some = list => list.length < controls.length ? ' on some channels' : '';
    $('alert-state').textContent = [
      overlays === 1 ? '1 overlay is connected' : `${overlays} overlays are connected`,
      paused.length > 0 && `paused since ${clock(paused[0].paused_at)}${some(paused)}`,
      muted.length > 0 && `muted${some(muted)}`,
    ].filter(Boolean).join(' · ');
  }
}
