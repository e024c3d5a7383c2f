// Settings as the server keeps them, and as the query of an address has them: `{look: {place: "top"}}` is `place=top`.

import { NUMBERS } from './settings.js';

/** The names of settings by the part of the document that they stand in; others stand in the document itself. */
const PARTS = {
  look: ['place', 'width', 'font', 'theme', 'color', 'panel', 'accent'],
  alerts: ['types', 'duration', 'sound', 'volume', 'image', 'animation', 'language', 'followers', 'speech'],
  chat: ['max', 'lifetime', 'direction', 'bots', 'commands', 'hidden', 'emotes'],
};

/** The settings of the small overlays. In the form they are called `label_text`, in the address of their overlay `text`. */
export const SMALL = { goal: ['kind', 'text'], label: ['of', 'text'], events: ['types', 'max'], clock: ['show', 'to', 'text'] };

/** The parts of a document that are for one overlay. */
export const OWN_PARTS = ['alerts', 'chat', ...Object.keys(SMALL)];

/** Settings that are lists; a query has commas between their values. */
const LISTS = ['types', 'blocked_words', 'hidden', 'emotes', 'events_types'];
/** Numbers of the small overlays. */
const SMALL_NUMBERS = ['events_max'];

/** The path of a setting in the document: `text_raid` is `alerts.kinds.raid.text`. */
function pathOf(name) {
  const [, field, kind] = name.match(/^(text|sound|image|minimum)_(\w+)$/) ?? [];
  if (field) return ['alerts', 'kinds', kind, field];
  const small = Object.keys(SMALL).find(part => name.startsWith(`${part}_`));
  if (small) return [small, name.slice(small.length + 1)];
  const part = Object.keys(PARTS).find(part => PARTS[part].includes(name));
  return part ? [part, name] : [name];
}

/** The name of the setting at this path, `.` between its parts; that of the setting around it if there is none. */
export function nameAt(path) {
  const [part, kinds, kind, field] = path.split('.');
  if (part === 'alerts' && kinds === 'kinds') return field ? `${field}_${kind}` : kind;
  if (part in SMALL && kinds) return `${part}_${kinds.replace(/\[.*/, '')}`;
  return (part in PARTS ? kinds ?? part : part).replace(/\[.*/, '');
}

/** All values of a document, with their paths. */
function* values(value, path = []) {
  if (value === null || value === undefined) return;
  if (path.at(-1) === 'variations') return;
  if (typeof value !== 'object' || Array.isArray(value)) return void (yield [path, value]);
  for (const [key, inner] of Object.entries(value)) yield* values(inner, [...path, key]);
}

/** The settings of a document as a query: those for all overlays, and those for `parts` of it. Small overlays have no ages. */
export function flat({ max_age, ...document }, parts) {
  const chosen = Object.entries(document).filter(([name]) => !OWN_PARTS.includes(name) || parts.includes(name));
  if (parts.some(part => part in PARTS)) chosen.unshift(['max_age', max_age]);
  return new URLSearchParams([...values(Object.fromEntries(chosen))].map(([path, value]) => [nameAt(path.join('.')), String(value)]));
}

/** A query of the form's settings as the address of one small overlay has it. */
export function plain(query, overlay) {
  const own = `${overlay}_`;
  return new URLSearchParams([...query].map(([name, value]) => [name.startsWith(own) ? name.slice(own.length) : name, value]));
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
  return (name in NUMBERS || SMALL_NUMBERS.includes(name) || name.startsWith('minimum_')) && Number.isFinite(number) ? number : text;
}
