// Words that are not for air.

/** What words are made of. */
const PART = '[\\p{L}\\p{M}\\p{N}_]';

/** The fields of alerts with what people wrote, or are called. */
const TEXTS = ['display_name', 'message', 'title', 'description', 'name'];

export class BlockedWords {
  /** Null if there are none. */
  #pattern = null;

  constructor(words) {
    if (words.length === 0) return;
    const longestFirst = words.map(patternOf).sort((one, other) => other.length - one.length);
    this.#pattern = new RegExp(`(?<!${PART})(?:${longestFirst.join('|')})(?!${PART})`, 'giu');
  }

  /** Whether one of the words is in a text: whole, in any case. */
  isIn(text) {
    return this.star(text) !== (text ?? '').normalize('NFC');
  }

  /** The text with stars for the words. */
  star(text) {
    const whole = (text ?? '').normalize('NFC');
    return this.#pattern === null ? whole : whole.replace(this.#pattern, word => '*'.repeat([...word].length));
  }

  /** An alert with stars for the words, in all that people wrote or are called. */
  starAlert(alert) {
    return this.#pattern === null ? alert : this.#starFields(alert, null);
  }

  #starFields(value, field) {
    if (typeof value === 'string') return TEXTS.includes(field) ? this.star(value) : value;
    if (Array.isArray(value)) return value.map(item => this.#starFields(item, field));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.#starFields(inner, name)]));
  }
}

/** Finds a word also where invisible characters stand between its letters. */
function patternOf(word) {
  const letters = [...word.normalize('NFC')].map(letter => /\s/.test(letter) ? '\\s+' : letter.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&'));
  return letters.join('\\p{Cf}*');
}
