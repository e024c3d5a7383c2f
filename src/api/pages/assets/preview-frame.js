// The preview: the overlay itself in a frame, which shows examples.

import { SMALL_OVERLAYS } from './small-links.js';
import { examplesOf } from './small-examples.js';

const $ = id => document.getElementById(id);

/** How many watch. */
const VIEWERS = 1_204;

/** What the chat shows. */
const SAID = [
  { name: 'QuietOtter', color: '#1e90ff', text: 'hello everyone!' },
  { name: 'CopperKite', color: '#b22222', text: 'what a show, and what a long message that needs a second line in a narrow chat' },
];

const message = ({ name, color, text }, at) => ({
  message_id: String(at), channel: { id: '90210441' }, user: { id: name, login: name.toLowerCase(), display_name: name }, color, notice: null,
  badges: [], text, fragments: [{ type: 'text', text, emote: null }], is_action: false, message_type: 'text',
});

export class Preview {
  #kinds;
  #frame = $('preview');
  #overlay = 'alerts';
  #settings = {};
  /** Examples that the frame shows once it is ready; null if it is. */
  #waiting = [];

  constructor(kinds) {
    this.#kinds = kinds;
    addEventListener('message', ({ origin, source, data }) => {
      if (origin === location.origin && source === this.#frame.contentWindow && data === 'ready') this.#begin();
    });
    this.#frame.src = '/overlay/alerts?preview';
  }

  /** The settings of each overlay, and the variations of alerts. */
  set settings(settings) {
    this.#settings = settings;
    if (this.#waiting !== null) return;
    const own = settings[this.#overlay];
    this.#send({ settings: String(own), variations: settings.variations });
    // A small overlay shows the same all the time, as its settings say.
    if (this.#overlay in SMALL_OVERLAYS) this.#show([examplesOf(this.#overlay, own), { at: new Date().toISOString(), value: VIEWERS }]);
  }

  /** Shows the example of a kind of alerts, `chat`, or a small overlay. */
  play(kind) {
    const overlay = kind in this.#kinds ? 'alerts' : kind;
    const examples = { alerts: () => [this.#kinds[kind].example], chat: () => SAID.map(message) }[overlay]?.() ?? [];
    if (overlay !== this.#overlay) {
      [this.#overlay, this.#waiting] = [overlay, []];
      this.#frame.src = `/overlay/${overlay}?preview`;
    }
    if (this.#waiting === null) this.#show(examples);
    else this.#waiting = examples;
  }

  #begin() {
    const examples = this.#waiting ?? [];
    this.#waiting = null;
    this.settings = this.#settings;
    this.#show(examples);
  }

  #show(examples) {
    for (const example of examples) this.#send({ example });
  }

  #send(data) {
    this.#frame.contentWindow.postMessage(data, location.origin);
  }
}
