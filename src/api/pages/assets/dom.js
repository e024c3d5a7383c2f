// Creates elements. Text is never read as markup.

/** `element('p', { class: 'note' }, 'It is ', element('b', {}, 'late'))`; a null child is left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

/** Characters that turn or isolate the direction of what follows. One of them could end the isolation of its element. */
export const DIRECTION_CONTROLS = /[\u202a-\u202e\u2066-\u2069]/g;

/** An element for a stranger's text, which changes the direction of nothing beside it. */
export function isolated(name, attributes, ...children) {
  const cleaned = children.map(child => typeof child === 'string' ? child.replace(DIRECTION_CONTROLS, '') : child);
  return element(name, { ...attributes, dir: 'auto' }, ...cleaned);
}
