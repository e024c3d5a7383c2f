// The settings of the overlays, as they stand in the query of an overlay's address. What is wrong is
// told and does not count: OBS has no console to look into.

import { KINDS } from './kinds.js';
import { places } from './template.js';

/** By name: least, most, and what holds if nothing is said. */
export const NUMBERS = {
  duration: { least: 1, most: 60, usual: 6, unit: 'seconds' },
  volume: { least: 0, most: 100, usual: 50, unit: 'percent' },
  max_age: { least: 0, most: 1440, usual: 5, unit: 'minutes' },
  max: { least: 1, most: 100, usual: 12, unit: 'messages' },
};

/** The sounds that are built in. */
export const SOUNDS = ['none', 'chime'];

/** `{settings, problems}` of `/overlay/alerts`; a problem is `{name, message}`. */
export function alertSettings(query) {
  const read = new Reader(query);
  const settings = {
    channel: read.text('channel'),
    types: read.types(),
    duration: read.number('duration'),
    max_age: read.number('max_age'),
    volume: read.number('volume'),
    of: {},
  };
  const image = read.address('image') ?? null;
  const sound = read.sound('sound') ?? 'none';
  for (const [type, kind] of Object.entries(KINDS)) {
    settings.of[type] = {
      text: read.template(`text_${type}`, kind) ?? kind.text,
      image: read.address(`image_${type}`) ?? image,
      sound: read.sound(`sound_${type}`) ?? sound,
    };
  }
  return { settings, problems: read.problems() };
}

/** `{settings, problems}` of `/overlay/chat`. */
export function chatSettings(query) {
  const read = new Reader(query);
  const settings = { channel: read.text('channel'), max: read.number('max'), max_age: read.number('max_age') };
  return { settings, problems: read.problems() };
}

class Reader {
  #query;
  #known = new Set();
  #problems = [];

  constructor(query) {
    this.#query = query;
  }

  /** What was wrong, and what nobody asked for. */
  problems() {
    for (const name of new Set(this.#query.keys())) {
      if (this.#known.has(name)) continue;
      const advice = name === 'token' ? 'the token belongs behind # at the end: #token=…' : 'there is no such setting';
      this.#problems.push({ name, message: advice });
    }
    return this.#problems;
  }

  /** An empty value is as good as none. */
  text(name) {
    this.#known.add(name);
    return this.#query.get(name)?.trim() || null;
  }

  number(name) {
    const { least, most, usual, unit } = NUMBERS[name];
    const text = this.text(name);
    if (text === null) return usual;
    const number = Number(text);
    if (number >= least && number <= most) return number;
    this.#wrong(name, `“${text}”, but must be a number from ${least} to ${most} (${unit})`);
    return usual;
  }

  types() {
    const names = (this.text('types') ?? '').split(',').map(name => name.trim()).filter(Boolean);
    const unknown = names.filter(name => !Object.hasOwn(KINDS, name));
    if (unknown.length > 0) {
      this.#wrong('types', `“${unknown.join(', ')}”, but there are ${Object.keys(KINDS).join(', ')}`);
    }
    const known = names.filter(name => Object.hasOwn(KINDS, name));
    return known.length > 0 ? known : Object.keys(KINDS).filter(name => KINDS[name].isUsual);
  }

  template(name, kind) {
    const text = this.text(name);
    const there = Object.keys(kind.values(kind.example));
    const unknown = places(text ?? '').filter(place => !there.includes(place));
    if (unknown.length === 0) return text;
    const list = names => names.map(place => `{${place}}`).join(', ');
    this.#wrong(name, `there is no ${list(unknown)}, only ${list(there)}`);
    return null;
  }

  sound(name) {
    return SOUNDS.includes(this.text(name)) ? this.text(name) : this.address(name);
  }

  /** On this server, or by https: what the page's security policy lets through. */
  address(name) {
    const text = this.text(name);
    if (text === null || /^\/(?!\/)/.test(text)) return text;
    if (/^https:\/\/[^/]/.test(text)) return text;
    this.#wrong(name, `“${text}”, but must be an address that begins with https://`);
    return null;
  }

  #wrong(name, message) {
    this.#problems.push({ name, message });
  }
}
