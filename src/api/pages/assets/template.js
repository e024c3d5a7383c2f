// Texts with placeholders: `{user} follows!`.

const PLACEHOLDER = /\{(\w+)\}/g;

/** The names of the placeholders in a text. */
export function placeholders(text) {
  return [...text.matchAll(PLACEHOLDER)].map(match => match[1]);
}

/** The text in parts, `{text, isValue}`. Placeholders without a value stay as they are. */
export function fill(text, values) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(PLACEHOLDER)) {
    const value = Object.hasOwn(values, match[1]) ? values[match[1]] : undefined;
    if (value === undefined) continue;
    if (match.index > end) parts.push({ text: text.slice(end, match.index), isValue: false });
    parts.push({ text: String(value), isValue: true });
    end = match.index + match[0].length;
  }
  if (end < text.length) parts.push({ text: text.slice(end), isValue: false });
  return parts;
}
