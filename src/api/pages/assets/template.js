// Texts with placeholders: `{user} follows!`, `{viewers} {viewers:viewer|viewers}`.

const PLACEHOLDER = /\{(\w+)(?::([^{}]*))?\}/g;

/** The order in which a text has the forms of a word. */
const CATEGORIES = ['zero', 'one', 'two', 'few', 'many', 'other'];

/** The names of the placeholders in a text. */
export function placeholders(text) {
  return [...text.matchAll(PLACEHOLDER)].map(match => match[1]);
}

/** The form of a word after this number, as the language has it: of `viewer|viewers` the first after 1, in English. */
function formOf(forms, number, language) {
  const rules = new Intl.PluralRules(language);
  const known = CATEGORIES.filter(it => rules.resolvedOptions().pluralCategories.includes(it));
  return forms[Math.min(known.indexOf(rules.select(number)), forms.length - 1)];
}

/** The text in parts, `{text, isValue}`. Placeholders without a value stay as they are. */
export function fill(text, values, language = 'en') {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const [all, name, forms] = match;
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value === undefined) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isValue: false });
    if (forms === undefined) parts.push({ text: typeof value === 'number' ? value.toLocaleString(language) : String(value), isValue: true });
    else parts.push({ text: formOf(forms.split('|'), Number(value), language), isValue: false });
    end = match.index + all.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isValue: false });
  return parts;
}
