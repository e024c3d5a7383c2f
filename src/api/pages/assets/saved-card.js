// The card of the settings that are saved on the server, for admins.

import { element } from './dom.js';
import { OWN_PARTS, flat, variationsOf } from './stored.js';
import { attempt } from './toast.js';

const $ = id => document.getElementById(id);

/** A document as a text that can be compared: without what is null, and in the order of the names. */
function textOf(document) {
  const query = flat(document, OWN_PARTS);
  query.sort();
  return `${query} ${JSON.stringify(variationsOf(document), (_, value) => ordered(value))}`;
}

function ordered(value) {
  if (value === null) return undefined;
  return typeof value !== 'object' || Array.isArray(value) ? value : Object.fromEntries(Object.entries(value).sort());
}

export class SavedCard {
  #ask;
  #form;
  #documents = new Map();
  #chosen = null;

  /**
   * `form.document()` are the settings of the form, `form.fill(query, variations)` sets them, `form.refuse(path, error)` shows what the server
   * says about one.
   */
  constructor(ask, form) {
    [this.#ask, this.#form] = [ask, form];
    $('saved').addEventListener('change', () => this.#choose($('saved').value || null));
    $('save').addEventListener('click', () => this.#save());
    $('delete').addEventListener('click', () => this.#delete());
    $('saved-settings').hidden = false;
    this.#load();
  }

  /** The name of the settings that the form is about, or null. */
  get name() {
    return this.#chosen;
  }

  /** The settings that are saved under that name, as a query; without one there are none. */
  get query() {
    return flat(this.#documents.get(this.#chosen) ?? {}, OWN_PARTS);
  }

  /** Shows whether the form differs from what is saved. */
  compare() {
    const saved = this.#documents.get(this.#chosen);
    $('unsaved').hidden = !saved || textOf(saved) === textOf(this.#form.document());
  }

  async #load() {
    const { data } = await this.#ask('GET', '/overlays/settings').catch(() => ({ data: [] }));
    this.#documents = new Map(data.map(it => [it.name, it.settings]));
    $('saved').replaceChildren(new Option('not saved', ''), ...data.map(it => new Option(it.name, it.name)));
    $('saved').value = this.#chosen ?? '';
    $('delete').hidden = this.#chosen === null;
  }

  #choose(name) {
    this.#chosen = name;
    $('save-name').value = name ?? $('save-name').value;
    $('delete').hidden = name === null;
    const document = name === null ? {} : this.#documents.get(name);
    this.#form.fill(flat(document, OWN_PARTS), variationsOf(document));
  }

  async #save() {
    const name = $('save-name').value.trim();
    const document = this.#form.document();
    const save = async () => {
      if (name === '') throw new Error('Choose a name first, such as main');
      await this.#ask('PUT', `/overlays/settings/${encodeURIComponent(name)}`, document)
        // What is no field of the document is the name.
        .catch(error => { throw this.#form.refuse(error.field ?? (error.status === 400 ? 'save-name' : null), error); });
    };
    if (!await attempt($('save'), save, `Saved ${name}`)) return;
    this.#chosen = name;
    await this.#load();
    this.#form.changed();
  }

  async #delete() {
    const name = this.#chosen;
    if (!await attempt($('delete'), () => this.#ask('DELETE', `/overlays/settings/${name}`), `Deleted ${name}`)) return;
    this.#chosen = null;
    await this.#load();
    this.#form.changed();
  }
}
