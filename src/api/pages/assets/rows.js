// A list whose rows are kept while they are shown, so that focus is kept too.

export class Rows {
  #list;
  #key;
  #make;
  #rows = new Map();
  #shown = '';

  /** `make` makes the row of an item: `{root, update(item)}`. The field `key` tells items apart. */
  constructor(list, key, make) {
    this.#list = list;
    this.#key = key;
    this.#make = make;
  }

  /** Shows these items in this order. */
  show(items) {
    const keys = items.map(it => it[this.#key]);
    for (const item of items) {
      const key = item[this.#key];
      if (!this.#rows.has(key)) this.#rows.set(key, this.#make(item));
      this.#rows.get(key).update(item);
    }
    // Moving a row would take the focus from its buttons.
    const shown = keys.join('\n');
    if (shown === this.#shown) return;
    this.#shown = shown;
    for (const key of this.#rows.keys()) if (!keys.includes(key)) this.#rows.delete(key);
    this.#list.replaceChildren(...keys.map(key => this.#rows.get(key).root));
  }
}
