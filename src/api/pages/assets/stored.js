// Settings as the server keeps them, and as the query of an address has them: `{look: {place: "top"}}` is `place=top`.

import { NUMBERS } from './settings.js';

/** The names of settings by the part of the document that they stand in; others stand in the document itself. */
const PARTS = {
  look: ['place', 'width', 'font', 'theme', 'color', 'panel', 'accent'],
  alerts: ['types', 'duration', 'sound', 'volume', 'image', 'animation', 'language', 'followers', 'speech'],
  chat: ['max', 'lifetime', 'direction', 'bots', 'commands', 'hidden', 'emotes'],
};

/** Settings that are lists; a query has commas between their values. */
const LISTS = ['types', 'blocked_words', 'hidden', 'emotes'];

/** The path of a setting in the document: `text_raid` is `alerts.kinds.raid.text`. */
function pathOf(name) {
  const [, field, kind] = name.match(/^(text|sound|image|minimum)_(\w+)$/) ?? [];
  if (field) return ['alerts', 'kinds', kind, field];
  const part = Object.keys(PARTS).find(part => PARTS[part].includes(name));
  return part ? [part, name] : [name];
}

/** The name of the setting at this path, `.` between its parts; that of the setting around it if there is none. */
export function nameAt(path) {
  const [part, kinds, kind, field] = path.split('.');
  if (part === 'alerts' && kinds === 'kinds') return field ? `${field}_${kind}` : kind;
  return (part in PARTS ? kinds ?? part : part).replace(/\[.*/, '');
}

/** All values of a document, with their paths. */
function* values(value, path = []) {
  if (value === null || value === undefined) return;
  if (path.at(-1) === 'variations') return;
  if (typeof value !== 'object' || Array.isArray(value)) return void (yield [path, value]);
  for (const [key, inner] of Object.entries(value)) yield* values(inner, [...path, key]);
}

/** The settings of a document as a query: those for all overlays, and those for `parts` of it. Only these have ages. */
export function flat({ alerts, chat, max_age, ...common }, parts) {
  const chosen = { ...common, ...parts.length > 0 && { max_age }, ...parts.includes('alerts') && { alerts }, ...parts.includes('chat') && { chat } };
  return new URLSearchParams([...values(chosen)].map(([path, value]) => [nameAt(path.join('.')), String(value)]));
}

/** The variations of a document, by type of alerts. A query has none. */
export function variationsOf({ alerts }) {
  const kinds = Object.entries(alerts?.kinds ?? {}).filter(([, { variations }]) => variations?.length > 0);
  return Object.fromEntries(kinds.map(([type, { variations }]) => [type, variations]));
}

/** The settings of a query as a document. */
export function nested(query) {
  const settings = {};
  for (const [name, text] of query) {
    const path = pathOf(name);
    let part = settings;
    for (const key of path.slice(0, -1)) part = part[key] ??= {};
    part[path.at(-1)] = valueOf(name, text);
  }
  return settings;
}

/** A number that can't be read stays a text, and the server says what is wrong with it. */
function valueOf(name, text) {
  if (LISTS.includes(name)) return text.split(',').map(it => it.trim()).filter(Boolean);
  const number = Number(text);
  return (name in NUMBERS || name.startsWith('minimum_')) && Number.isFinite(number) ? number : text;
}
