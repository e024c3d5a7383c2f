// The demo show, and what to do first on a server that knows no channel.

import { Feed } from './feed.js';
import { Queue } from './queue.js';
import { alertSettings } from './settings.js';
import { showAlert } from './alert-card.js';
import { attempt } from './toast.js';

const $ = id => document.getElementById(id);

/** By the step of the server's setup that `/status` names. */
const STEPS = {
  unconfigured: 'first-unconfigured',
  configured: 'first-configured',
  consented: 'first-consented',
};

/** Shows what to do next, as long as no channel is known. */
export function showSetup(setup) {
  for (const [step, id] of Object.entries(STEPS)) $(id).hidden = step !== setup;
}

/** The card of the demo show: its alerts, as the overlay shows them. */
export class Demo {
  #ask; #token; #isFollowed = false;

  constructor(ask, token) {
    [this.#ask, this.#token] = [ask, token];
    const start = ({ currentTarget }) => attempt(currentTarget, () => this.#ask('POST', '/demo'), 'The demo show is on for a minute');
    $('start-demo').addEventListener('click', start);
    $('repeat-demo').addEventListener('click', start);
    $('remove-demo').addEventListener('click', ({ currentTarget }) => this.#remove(currentTarget));
  }

  /** Lets an admin start and remove it. */
  offer() {
    $('start-demo').hidden = $('demo-buttons').hidden = false;
  }

  /** Shows the card while the channel of the demo is among these. */
  update(channels) {
    const channel = channels.find(it => it.is_demo);
    $('demo').hidden = !channel;
    if (!channel) return;
    $('repeat-demo').disabled = channel.is_live;
    if (!this.#isFollowed) this.#follow(channel);
    this.#isFollowed = true;
  }

  #follow(channel) {
    const { settings } = alertSettings(new URLSearchParams({ duration: '2' }));
    const queue = new Queue(alert => showAlert($('demo-stage'), alert, settings));
    const query = { channel: channel.id, type: settings.types.join(',') };
    new Feed({ path: '/live/alerts', query, token: this.#token, on: { event: (_, alert) => queue.push(alert) } }).start();
  }

  /** What a page has shown is gone only from a new one. */
  async #remove(button) {
    const isRemoved = await attempt(button, () => this.#ask('DELETE', '/demo'), 'The demo is removed');
    if (isRemoved) location.reload();
  }
}

/** Whether an event is of a demo that was removed. */
export const isForgotten = event => event.message_type === 'demo' && event.channel_id === null;
