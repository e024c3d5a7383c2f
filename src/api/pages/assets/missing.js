// Says what Twitch does not send of what the overlays show.

import { element } from './dom.js';
import * as goal from './goal.js';
import * as hypeTrain from './hype-train.js';
import * as poll from './poll.js';

/** What the small overlays show that no other one need show. */
const SMALL = [goal, hypeTrain, poll].flatMap(it => it.types());

/** The lines for what is missing: of these types of alerts (null for the chat) on these channels; all channels if there are none. */
export function linesFor(missing, types, channels, nameOf) {
  const lines = missing.filter(it => channels.length === 0 || channels.includes(it.channel)).map(it => {
    const names = types === null ? ['the chat'] : types.filter(type => it.alerts.includes(type)).map(nameOf);
    if (it.chat !== (types === null) || names.length === 0) return null;
    return `${it.channel} does not get ${names.join(', ')}: ${it.message}.${it.command ? ` Run: ${it.command}` : ''}`;
  });
  return lines.filter(Boolean);
}

export class Missing {
  #missing = [];
  #nameOf;

  /** `onLoad` is called when it is known what is missing; `nameOf` names a type of alerts. */
  constructor(ask, nameOf, onLoad) {
    this.#nameOf = nameOf;
    ask('GET', '/overlays/missing').then(({ data }) => {
      this.#missing = data;
      onLoad();
    }).catch(() => {});
  }

  /** Shows it for these types of alerts, for the small overlays, and for the chat, on these channels. */
  show(types, channels) {
    for (const [id, chosen] of [['missing-alerts', types], ['missing-small', SMALL], ['missing-chat', null]]) {
      const lines = linesFor(this.#missing, chosen, channels, this.#nameOf);
      document.getElementById(id).replaceChildren(...lines.map(line => element('li', {}, line)));
    }
  }
}
