// The amount in the sentence of an event.

/** How much an event is about: bits, subscriptions, viewers, months or channel points; undefined if it has no amount. */
export function amountOf({ bits, total, viewers, cumulative_months, reward }) {
  return [bits, total, viewers, cumulative_months, reward?.cost, reward?.channel_points].find(Number.isInteger);
}

/**
 * A sentence as what stands before its amount, the amount, and what stands behind it; the whole sentence alone if the amount is not
 * in it. The server writes thousands with commas, and a name, which may be a number, at the beginning.
 */
export function parts(sentence, amount) {
  const text = amount?.toLocaleString('en');
  const found = text === undefined ? null : new RegExp(`(?<=\\s)${text}(?![\\d,.])`).exec(sentence);
  return found ? [sentence.slice(0, found.index), text, sentence.slice(found.index + text.length)] : [sentence];
}
