// Says what Twitch does not send of what the overlays show.

import { element } from './dom.js';
import * as goal from './goal.js';
import * as hypeTrain from './hype-train.js';
import { nameOfType } from './kinds.js';
import * as poll from './poll.js';

/** What the small overlays show that no other one need show. */
const SMALL = [goal, hypeTrain, poll].flatMap(it => it.types());

/** The lines for what is missing: of these types of alerts (null for the chat) on these channels; all channels if there are none. */
export function linesFor(missing, types, channels) {
  const lines = missing.filter(it => channels.length === 0 || channels.includes(it.channel)).map(it => {
    const names = types === null ? ['the chat'] : types.filter(type => it.alerts.includes(type)).map(nameOfType);
    if (it.chat !== (types === null) || names.length === 0) return null;
    return `${it.channel} does not get ${names.join(', ')}: ${it.message}.${it.command ? ` Run: ${it.command}` : ''}`;
  });
  return lines.filter(Boolean);
}

/** Shows lines as the items of a list. One that is the same is not read out again. */
export function showLines(list, lines) {
  if (lines.join('\n') === [...list.children].map(it => it.textContent).join('\n')) return;
  list.replaceChildren(...lines.map(line => element('li', {}, line)));
}

export class Missing {
  #missing = [];

  /** `onLoad` is called when it is known what is missing. */
  constructor(ask, onLoad) {
    ask('GET', '/overlays/missing').then(({ data }) => {
      this.#missing = data;
      onLoad();
    }).catch(() => {});
  }

  /** Shows it for these types of alerts, for the small overlays, and for the chat, on these channels. */
  show(types, channels) {
    for (const [id, chosen] of [['missing-alerts', types], ['missing-small', SMALL], ['missing-chat', null]]) {
      showLines(document.getElementById(id), linesFor(this.#missing, chosen, channels));
    }
  }
}
