// The fields of the variations of a kind of alerts, on the page of the settings.

import { element } from './dom.js';
import { ANIMATIONS } from './look.js';

/** What a variation may have of its own, with labels. */
const OWN = { text: 'Text', duration: 'Seconds', size: 'Size (percent)', sound: 'Sound', image: 'Image' };
/** Those that are numbers. */
const NUMBERS = ['duration', 'size'];
/** The lists of the page from which they can be chosen. */
const LISTS = { sound: 'sounds', image: 'images' };
let made = 0;

export class Variations {
  #rows = [];
  #list = element('ol', { class: 'list variations' });
  #facts;
  #onChange;

  /** `facts` are the amounts of the kind, `tier` among them; `onChange` is called when one is added or removed. */
  constructor(facts, onChange) {
    [this.#facts, this.#onChange] = [facts, onChange];
    this.root = element('div', {}, this.#list,
      element('button', { type: 'button', class: 'small', click: () => this.#add() }, 'Add a variation'));
  }

  /** As the server keeps them. */
  get value() {
    return this.#rows.map(({ fact, at, fields }) => ({
      when: { [fact.value]: fact.value === 'tier' ? `${at.value.trim()}000` : numberOf(at.value) },
      ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value.trim()])
        .filter(([, text]) => text !== '').map(([name, text]) => [name, NUMBERS.includes(name) ? numberOf(text) : text])),
    }));
  }

  set value(variations) {
    this.#rows = [];
    this.#list.replaceChildren();
    for (const variation of variations) this.#row(variation);
  }

  /** The field of a setting of a variation, by its place; that of the amount for `when`. */
  field(place, name) {
    const row = this.#rows[place];
    return row?.fields[name] ?? row?.at;
  }

  #add() {
    this.#row({ when: { [this.#facts[0]]: '' } }).focus();
    this.#onChange();
  }

  #row({ when, ...own }) {
    const [[name, value]] = Object.entries(when);
    const fact = element('select', { id: `variation-${++made}` }, ...this.#facts.map(it => new Option(it, it, false, it === name)));
    const at = element('input', { id: `variation-${++made}`, inputmode: 'numeric', autocomplete: 'off' });
    at.value = name === 'tier' ? value.replace('000', '') : value;
    const fields = Object.fromEntries(Object.entries(OWN).map(([name, label]) => {
      const field = element('input', { id: `variation-${++made}`, list: LISTS[name], autocomplete: 'off', spellcheck: 'false', placeholder: 'as above' });
      field.value = own[name] ?? '';
      return [name, field];
    }));
    fields.animation = element('select', { id: `variation-${++made}` }, new Option('as above', ''), ...ANIMATIONS.map(it => new Option(it)));
    fields.animation.value = own.animation ?? '';
    const row = { fact, at, fields };
    const labelled = (label, field, size = 'narrow') => element('div', { class: size }, element('label', { for: field.id }, label), field);
    const root = element('li', { class: 'row' },
      labelled('If', fact), labelled('is at least, or tier', at),
      ...Object.entries(OWN).map(([name, label]) => labelled(label, fields[name], NUMBERS.includes(name) ? 'narrow' : 'grows')),
      labelled('Entrance', fields.animation),
      element('button', { type: 'button', class: 'small', click: () => this.#remove(row, root) }, 'Remove',
        element('span', { class: 'unseen' }, ' this variation')));
    this.#rows.push(row);
    this.#list.append(root);
    return fact;
  }

  #remove(row, root) {
    this.#rows = this.#rows.filter(it => it !== row);
    root.remove();
    this.#onChange();
  }
}

/** A number that can't be read stays a text, and the server says what is wrong with it. */
function numberOf(text) {
  const number = Number(text);
  return text.trim() !== '' && Number.isFinite(number) ? number : text;
}
