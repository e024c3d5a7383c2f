// The token in the addresses for OBS. It can be read there, so it must allow nothing but following alerts and chat.

import { call, takeToken } from './api.js';
import { attempt } from './toast.js';
import { TokenList } from './token-list.js';

const SHAPE = /^showtime_[\w-]{43}$/;

/** By scope. */
const REFUSALS = {
  admin: 'this one may change everything, and can be read in OBS: use one with the scope overlay',
  read: 'this one may read everything, and can be read in OBS: use one with the scope overlay',
};

export class LinkToken {
  /** The token for the addresses, or null. */
  value = null;
  /** What is wrong with the token in the field, or null. */
  problem = null;
  #onChange;
  #onAdmin;
  #field = document.getElementById('token');
  #button = document.getElementById('make-token');
  /** The token of the dashboard, which never becomes part of an address unless it is one for overlays. */
  #own = takeToken();
  #list = new TokenList((...to) => call(this.#own, ...to), () => this.#check());

  /** `onAdmin(ask)` is called if the dashboard's token is an admin's, with what calls the API with it. */
  constructor(onChange, onAdmin) {
    [this.#onChange, this.#onAdmin] = [onChange, onAdmin];
    this.#field.addEventListener('input', () => this.#check());
    this.#button.addEventListener('click', () => attempt(this.#button, () => this.#make(), ({ name }) => `Made the token ${name}`));
    if (this.#own) this.#offer();
  }

  /** Takes the dashboard's token if it is one for overlays; offers to make one if it may do that. */
  async #offer() {
    const { scope } = await call(this.#own, 'GET', '/tokens/current').catch(() => ({}));
    this.#button.hidden = scope !== 'admin';
    if (scope === 'admin') this.#onAdmin((...to) => call(this.#own, ...to));
    if (scope === 'admin') this.#list.load();
    if (scope === 'overlay' && this.#field.value === '') this.#use(this.#own);
  }

  async #make() {
    const [number] = crypto.getRandomValues(new Uint32Array(1));
    const made = await call(this.#own, 'POST', '/tokens', { name: `obs-${number.toString(36)}`, scope: 'overlay' });
    this.#use(made.token);
    this.#list.load();
    return made;
  }

  #use(token) {
    this.#field.value = token;
    this.#set(token, null);
  }

  async #check() {
    const given = this.#field.value.trim();
    this.#set(null, null);
    if (given === '') return;
    const problem = await problemWith(given);
    if (given === this.#field.value.trim()) this.#set(problem ? null : given, problem);
  }

  #set(value, problem) {
    [this.value, this.problem] = [value, problem];
    this.#field.setAttribute('aria-invalid', String(problem !== null));
    this.#onChange();
  }
}

/** What is wrong with a token for overlays, or null. */
async function problemWith(token) {
  if (!SHAPE.test(token)) return 'it begins with showtime_ and has 52 characters';
  try {
    return REFUSALS[(await call(token, 'GET', '/tokens/current')).scope] ?? null;
  } catch (error) {
    return error.message;
  }
}
