// Follows a live feed. EventSource can't send a token, so the stream is read from fetch.

import { Parser } from './sse.js';
import { problemOf } from './api.js';

const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 30_000;
/** The server sends a heartbeat every 15 s; after three missed ones the connection is given up. */
const SILENCE = 45_000;
/** Statuses that a retry would not change. */
const FINAL = [400, 401, 403];

/** How long to wait before try number `attempt`, in ms; with jitter, so that readers don't come all at once. */
export function pause(attempt, first, random = Math.random()) {
  return Math.min(first * 2 ** attempt, LONGEST_PAUSE) * (0.5 + random / 2);
}

/**
 * Reads `path` from its cursor on, reconnects when the connection breaks, and goes on where it was.
 *
 * `on.event(name, data, id)`: an event; `id` is the place in the log to resume from.
 * `on.position(id)`: the feed has nothing else up to this place.
 * `on.state(state, problem)`: `open`, `lost` (it is retried) or `refused` (it is not).
 * `on.resync(newest)`: the log no longer has our place; earlier state may be wrong.
 */
export class Feed {
  #path; #query; #token; #cursor; #on;
  #running = null;
  #clockOffset = 0;

  constructor({ path, query = {}, token, cursor = null, on }) {
    [this.#path, this.#query, this.#token, this.#cursor, this.#on] = [path, query, token, cursor, on];
  }

  start() {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#follow(this.#running.signal);
  }

  stop() {
    this.#running?.abort();
    this.#running = null;
  }

  /** The server's time, in ms: the clock of the machine that shows the page may be wrong. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  async #follow(stopped) {
    for (let attempt = 0; !stopped.aborted; attempt++) {
      let first = FIRST_PAUSE;
      const retry = (milliseconds) => { first = milliseconds; attempt = 0; };
      const problem = await this.#read(stopped, retry).catch(() => null);
      if (stopped.aborted) return;
      this.#on.state?.(problem?.isFinal ? 'refused' : 'lost', problem);
      if (problem?.isFinal) return;
      await sleep(pause(attempt, first), stopped);
    }
  }

  /** Reads one connection to its end. Returns the problem if the server refused it. */
  async #read(stopped, retry) {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), SILENCE);
    const end = () => silence.abort();
    stopped.addEventListener('abort', end);
    try {
      const headers = { Accept: 'text/event-stream', Authorization: `Bearer ${this.#token}` };
      const response = await fetch(this.#address(), { headers, cache: 'no-store', signal: silence.signal });
      if (!response.ok) return { ...await problemOf(response), isFinal: FINAL.includes(response.status) };
      this.#clockOffset = (Date.parse(response.headers.get('Date')) || Date.now()) - Date.now();
      this.#on.state?.('open', null);
      const [parser, decoder, reader] = [new Parser(), new TextDecoder(), response.body.getReader()];
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), SILENCE);
        const events = parser.push(decoder.decode(piece.value, { stream: true }));
        retry(parser.retry ?? FIRST_PAUSE);
        for (const event of events) if (!stopped.aborted) this.#dispatch(event);
      }
      return null;
    } finally {
      clearTimeout(timer);
      stopped.removeEventListener('abort', end);
    }
  }

  #address() {
    const query = new URLSearchParams(this.#query);
    if (this.#cursor !== null) {
      query.delete('last');
      query.set('after', this.#cursor);
    }
    const text = query.toString();
    return text === '' ? this.#path : `${this.#path}?${text}`;
  }

  #dispatch({ id, event, data }) {
    if (id !== null) this.#cursor = id;
    if (event === null) return this.#on.position?.(id);
    const content = JSON.parse(data);
    if (event !== 'resync') return this.#on.event(event, content, id);
    this.#cursor = String(content.newest ?? 0);
    return this.#on.resync?.(this.#cursor);
  }
}

function sleep(milliseconds, stopped) {
  return new Promise(resolve => {
    const timer = setTimeout(resolve, milliseconds);
    stopped.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
  });
}
