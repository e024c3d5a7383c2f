// Parses text/event-stream as the HTML standard defines it, chunk by chunk.

/**
 * Events have `id` (the latest one seen), `event` and `data`. A block with an id but without data only moves the
 * place in the stream; its `event` and `data` are null.
 */
export class Parser {
  /** The reconnection time that the server sent, in ms, or null. */
  retry = null;
  #id = null;
  #rest = '';
  #endedWithReturn = false;
  #event = '';
  #data = [];
  #hasOwnId = false;

  /** Returns the events that this chunk completes. */
  push(text) {
    if (this.#endedWithReturn && text.startsWith('\n')) text = text.slice(1);
    if (text === '') return [];
    this.#endedWithReturn = text.endsWith('\r');
    const lines = (this.#rest + text).split(/\r\n|\r|\n/);
    this.#rest = lines.pop();
    return lines.map(line => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (line === '') return this.#complete();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#event = value;
    else if (name === 'retry' && /^\d+$/.test(value)) this.retry = Number(value);
    else if (name === 'id' && !value.includes('\0')) {
      this.#id = value;
      this.#hasOwnId = true;
    }
    return null;
  }

  #complete() {
    const [event, data, hasOwnId] = [this.#event, this.#data, this.#hasOwnId];
    this.#event = '';
    this.#data = [];
    this.#hasOwnId = false;
    if (data.length > 0) return { id: this.#id, event: event || 'message', data: data.join('\n') };
    return hasOwnId ? { id: this.#id, event: null, data: null } : null;
  }
}
