// The card of what is on air, for admins: the overlays that are connected, what they do not get, and the control of their alerts.

import { clock } from './format.js';
import { linesFor, showLines } from './missing.js';
import { attempt } from './toast.js';

const EVERY_MS = 5_000;
/** What overlays do not get changes with `init` and the settings, not by itself. In milliseconds. */
const MISSING_MS = 60_000;
const $ = id => document.getElementById(id);

export class AlertControl {
  #ask;
  #isPaused = false;
  #isMuted = false;
  #missing = [];
  #isMissingKnown = false;

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
    setInterval(() => { this.#isMissingKnown = false; }, MISSING_MS);
  }

  async load() {
    // The connection's badge shows that nothing is known.
    const state = await this.#ask('GET', '/overlays/alerts').catch(() => null);
    if (state === null) return;
    this.#show(state);
    if (state.overlays + state.chats > 0 && !this.#isMissingKnown) {
      const answer = await this.#ask('GET', '/overlays/missing').catch(() => null);
      if (answer === null) return;
      [this.#missing, this.#isMissingKnown] = [answer.data, true];
      this.#showMissing(state);
    }
  }

  #send(button, action, done) {
    return attempt(button, async () => this.#show(await this.#ask('POST', `/overlays/alerts/${action}`)), done);
  }

  #show(state) {
    const { overlays, chats, waiting, controls } = state;
    const paused = controls.filter(it => it.paused_at !== null);
    const muted = controls.filter(it => it.is_muted);
    [this.#isPaused, this.#isMuted] = [paused.length > 0, muted.length > 0];
    $('alerts-pause').setAttribute('aria-pressed', String(this.#isPaused));
    $('alerts-mute').setAttribute('aria-pressed', String(this.#isMuted));
    const some = list => list.length < controls.length ? ' on some channels' : '';
    $('alert-state').textContent = [
      overlays === 1 ? '1 overlay is connected' : `${overlays} overlays are connected`,
      chats > 0 && `${chats} of the chat`,
      waiting > 0 && (waiting === 1 ? '1 alert waits' : `${waiting} alerts wait`),
      paused.length > 0 && `paused since ${clock(paused[0].paused_at)}${some(paused)}`,
      muted.length > 0 && `muted${some(muted)}`,
    ].filter(Boolean).join(' · ');
    this.#showMissing(state);
  }

  /** Says what Twitch does not send of what the connected overlays show. */
  #showMissing({ types, chats }) {
    const lines = [...linesFor(this.#missing, types, []), ...chats > 0 ? linesFor(this.#missing, null, []) : []];
    showLines($('alert-missing'), lines);
  }
}
