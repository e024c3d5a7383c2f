// Reads the settings of an overlay from the query of its address. A wrong setting is reported on the overlay and
// ignored: OBS has no console to look into.

import { BlockedWords } from './blocked-words.js';
import { KINDS } from './kinds.js';
import { ANIMATIONS, PLACES, THEMES } from './look.js';
import { placeholders } from './template.js';

/** By name: minimum, maximum and default. */
export const NUMBERS = {
  duration: { min: 1, max: 60, fallback: 6, unit: 'seconds' },
  volume: { min: 0, max: 100, fallback: 50, unit: 'percent' },
  max_age: { min: 0, max: 1440, fallback: 5, unit: 'minutes' },
  max: { min: 1, max: 100, fallback: 12, unit: 'messages' },
  lifetime: { min: 1, max: 3600, fallback: null, unit: 'seconds' },
  speech: { min: 1, max: 1_000_000, fallback: null, unit: 'bits' },
  width: { min: 10, max: 100, fallback: null, unit: 'percent' },
  minimum: { min: 0, max: 1_000_000_000, fallback: null, unit: 'at least' },
};

/** The services whose emotes the chat can show. */
export const EMOTE_SERVICES = ['7tv', 'bttv', 'ffz'];

/** The built-in sounds. */
export const SOUNDS = ['none', 'chime'];

/** What is shown for many followers at once. */
export const FOLLOWERS = '{count} new {count:follower|followers}';

/** `{settings, problems}` of `/overlay/alerts`, with the variations by type; a problem is `{name, message}`. */
export function alertSettings(query, variations = {}) {
  const read = new Reader(query);
  const settings = {
    channel: read.text('channel'),
    types: read.types(),
    duration: read.number('duration'),
    max_age: read.number('max_age'),
    volume: read.number('volume'),
    look: read.look(),
    blocked: read.blockedWords(),
    speech: read.number('speech'),
    language: read.shaped('language', /^[a-z]{2,3}(-[a-z0-9]{2,8})*$/i, 'a language such as en or pt-BR') ?? 'en',
    followers: read.template('followers', { values: () => ({ count: 0, channel: '' }) }) ?? FOLLOWERS,
    of: {},
  };
  const image = read.address('image') ?? null;
  const sound = read.sound('sound') ?? 'none';
  const animation = read.oneOf('animation', ANIMATIONS) ?? 'rise';
  for (const [type, kind] of Object.entries(KINDS)) {
    settings.of[type] = {
      text: read.template(`text_${type}`, kind) ?? kind.text,
      image: read.address(`image_${type}`) ?? image,
      sound: read.sound(`sound_${type}`) ?? sound,
      duration: settings.duration,
      animation,
      size: null,
      minimum: kind.amount === null ? null : read.number(`minimum_${type}`, NUMBERS.minimum),
      variations: variations[type] ?? [],
    };
  }
  return { settings, problems: read.problems() };
}

/** `{settings, problems}` of `/overlay/chat`. */
export function chatSettings(query) {
  const read = new Reader(query);
  const settings = {
    channel: read.text('channel'),
    max: read.number('max'),
    max_age: read.number('max_age'),
    look: read.look(),
    blocked: read.blockedWords(),
    lifetime: read.number('lifetime'),
    direction: read.choice('direction', ['up', 'down']),
    hidesBots: read.choice('bots', ['show', 'hide']) === 'hide',
    hidesCommands: read.choice('commands', ['show', 'hide']) === 'hide',
    hidden: read.list('hidden').map(login => login.toLowerCase()),
    emotes: read.some('emotes', EMOTE_SERVICES),
  };
  return { settings, problems: read.problems() };
}

/** Reads settings, and collects what is wrong with them. */
export class Reader {
  #query;
  #known = new Set(['preview']);
  #problems = [];

  constructor(query) {
    this.#query = query;
  }

  /** The problems found, unknown settings included. */
  problems() {
    for (const name of new Set(this.#query.keys())) {
      if (this.#known.has(name)) continue;
      const advice = name === 'token' ? 'the token belongs behind # at the end: #token=…' : 'unknown setting';
      this.#problems.push({ name, message: advice });
    }
    return this.#problems;
  }

  /** The trimmed value; null if it is empty or missing. */
  text(name) {
    this.#known.add(name);
    return this.#query.get(name)?.trim() || null;
  }

  /** The values between commas. */
  list(name) {
    return (this.text(name) ?? '').split(',').map(it => it.trim()).filter(Boolean);
  }

  blockedWords() {
    return new BlockedWords(this.list('blocked_words'));
  }

  number(name, { min, max, fallback, unit } = NUMBERS[name]) {
    const text = this.text(name);
    if (text === null) return fallback;
    const number = Number(text);
    if (number >= min && number <= max) return number;
    this.#wrong(name, `“${text}” is not a number from ${min} to ${max} (${unit})`);
    return fallback;
  }

  /** One of these; the first if none is given. */
  choice(name, allowed) {
    const text = this.text(name);
    if (text === null || allowed.includes(text)) return text ?? allowed[0];
    this.#wrong(name, `“${text}”, allowed: ${allowed.join(', ')}`);
    return allowed[0];
  }

  /** Those of these that are listed, in their own order. */
  some(name, allowed) {
    const given = this.list(name);
    const unknown = given.filter(it => !allowed.includes(it));
    if (unknown.length > 0) this.#wrong(name, `“${unknown.join(', ')}”, allowed: ${allowed.join(', ')}`);
    return allowed.filter(it => given.includes(it));
  }

  /** A time in milliseconds, of `20:15` (the next one) or a date with a time; null if it is missing. */
  time(name, now = Date.now()) {
    const text = this.text(name);
    if (text === null) return null;
    const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
    const at = hours === undefined ? Date.parse(text) : new Date(now).setHours(Number(hours), Number(minutes), 0, 0);
    if (!Number.isNaN(at)) return hours !== undefined && at <= now ? at + 86_400_000 : at;
    this.#wrong(name, `“${text}” is no time such as 20:15 or 2026-07-01T20:15Z`);
    return null;
  }

  /** Reports that a setting is missing. */
  require(name, message) {
    if (this.text(name) === null) this.#wrong(name, message);
  }

  look() {
    return {
      place: this.oneOf('place', PLACES),
      width: this.number('width'),
      font: this.shaped('font', /^[\p{L}\p{N} _-]{1,64}$/u, 'the name of a font'),
      theme: this.oneOf('theme', THEMES),
      ...Object.fromEntries(['color', 'panel', 'accent'].map(name =>
        [name, this.shaped(name, /^#[0-9a-f]{6}$/i, 'a colour such as #8b5cf6')])),
    };
  }

  oneOf(name, allowed) {
    return this.shaped(name, new RegExp(`^(${allowed.join('|')})$`), `one of ${allowed.join(', ')}`);
  }

  /** A text of this shape. */
  shaped(name, shape, what) {
    const text = this.text(name);
    if (text === null || shape.test(text)) return text;
    this.#wrong(name, `“${text}” is not ${what}`);
    return null;
  }

  types() {
    const names = this.list('types');
    const unknown = names.filter(name => !Object.hasOwn(KINDS, name));
    if (unknown.length > 0) {
      this.#wrong('types', `“${unknown.join(', ')}”, allowed: ${Object.keys(KINDS).join(', ')}`);
    }
    const known = names.filter(name => Object.hasOwn(KINDS, name));
    return known.length > 0 ? known : Object.keys(KINDS).filter(name => KINDS[name].isUsual);
  }

  template(name, kind) {
    const text = this.text(name);
    const known = Object.keys(kind.values(kind.example));
    const unknown = placeholders(text ?? '').filter(name => !known.includes(name));
    if (unknown.length === 0) return text;
    const list = names => names.map(name => `{${name}}`).join(', ');
    this.#wrong(name, `unknown ${list(unknown)}, allowed: ${list(known)}`);
    return null;
  }

  sound(name) {
    return SOUNDS.includes(this.text(name)) ? this.text(name) : this.address(name);
  }

  /** A path on this server or an https address, as the page's security policy allows. */
  address(name) {
    const text = this.text(name);
    if (text === null || /^\/(?!\/)/.test(text)) return text;
    if (/^https:\/\/[^/]/.test(text)) return text;
    this.#wrong(name, `“${text}” is not an address that begins with https://`);
    return null;
  }

  #wrong(name, message) {
    this.#problems.push({ name, message });
  }
}
