// The card of the media folder, for admins: what is uploaded can be chosen as image or sound.

import { element, isolated } from './dom.js';
import { number } from './format.js';
import { Rows } from './rows.js';
import { SOUNDS } from './settings.js';
import { attempt } from './toast.js';

const $ = id => document.getElementById(id);

/** A name that the server takes, made from that of a file. */
export function nameFor(name) {
  return name.normalize('NFD').replace(/\p{M}/gu, '').replace(/[^A-Za-z0-9._-]+/g, '-').replace(/^[^A-Za-z0-9]+/, '').slice(-100);
}

export class MediaCard {
  #ask;
  #field = $('media-file');
  #rows = new Rows($('media-list'), 'name', it => new Row(it, button => this.#delete(it.name, button)));

  constructor(ask) {
    this.#ask = ask;
    $('media').hidden = false;
    this.#field.addEventListener('change', () => this.#upload());
    this.#load();
  }

  async #load() {
    const { data } = await this.#ask('GET', '/overlays/media').catch(() => ({ data: [] }));
    this.#rows.show(data);
    const paths = isSound => data.filter(it => (it.usage === 'sound') === isSound).map(it => it.path);
    offer($('sounds'), [...SOUNDS, ...paths(true)]);
    offer($('images'), paths(false));
  }

  async #upload() {
    for (const file of this.#field.files) {
      const save = () => this.#ask('PUT', `/overlays/media/${encodeURIComponent(nameFor(file.name))}`, file)
        .catch(error => { throw new Error(`${file.name}: ${error.message}`); });
      if (!await attempt(this.#field, save, ({ name }) => `Uploaded ${name}`)) break;
    }
    this.#field.value = '';
    await this.#load();
  }

  async #delete(name, button) {
    await attempt(button, () => this.#ask('DELETE', `/overlays/media/${encodeURIComponent(name)}`), `Deleted ${name}`);
    await this.#load();
  }
}

/** Has a list offer these values. */
function offer(list, values) {
  list.replaceChildren(...values.map(value => element('option', { value })));
}

class Row {
  #size = element('span', { class: 'quiet' });

  constructor({ name, path }, remove) {
    this.root = element('li', { 'data-file': name },
      element('a', { class: 'grows', href: path, target: '_blank', rel: 'noreferrer' }, isolated('span', {}, name)), this.#size,
      element('button', { type: 'button', class: 'small', click: ({ currentTarget }) => remove(currentTarget) },
        'Delete', element('span', { class: 'unseen' }, ` the file ${name}`)));
  }

  update({ type, bytes }) {
    this.#size.textContent = `${type}, ${number(Math.ceil(bytes / 1024))} KiB`;
  }
}
