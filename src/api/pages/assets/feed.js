// Follows a live feed over a WebSocket. Browsers limit the other connections to a server to six for all pages together,
// and the overlays in one OBS may be more.

import { bearer, problemOf } from './api.js';

const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 30_000;
/** The server sends a heartbeat every 15 s; after three missed ones the connection is given up. */
const SILENCE = 45_000;
const ANSWER_TIMEOUT = 10_000;
/** Statuses that a retry would not change. */
const FINAL = [400, 401, 403];
const NO_WEBSOCKET = 'the server answers, but no WebSocket opens: a proxy before it has to pass upgrades';

/** How long to wait before try number `attempt`, in ms; with jitter, so that readers don't come all at once. */
export function pause(attempt, random = Math.random()) {
  return Math.min(FIRST_PAUSE * 2 ** attempt, LONGEST_PAUSE) * (0.5 + random / 2);
}

/**
 * Reads `path` from its cursor on, reconnects when the connection breaks, and goes on where it was.
 *
 * `on.event(name, data, id)`: an event; `id` is the place in the log to resume from, null for a replay.
 * `on.position(id)`: the feed has nothing else up to this place.
 * `on.state(state, problem)`: `open`, `lost` (it is retried) or `refused` (it is not).
 * `on.resync(newest)`: the log no longer has our place; earlier state may be wrong.
 */
export class Feed {
  #path; #query; #token; #cursor; #on;
  /** The connection, once it is open. */
  #socket = null;
  #isStarted = false;
  #clockOffset = 0;

  constructor({ path, query = {}, token, cursor = null, on }) {
    [this.#path, this.#query, this.#token, this.#cursor, this.#on] = [path, query, token, cursor, on];
  }

  /** Follows the feed until the server refuses it for good. */
  async start() {
    if (this.#isStarted) return;
    this.#isStarted = true;
    let before = null;
    for (let attempt = 0; ; attempt++) {
      const wasOpen = await this.#read();
      if (wasOpen) attempt = 0;
      const found = wasOpen ? null : await this.#refusal();
      // The server may have started between the two.
      const problem = found?.isReachable && !before?.isReachable ? null : found;
      before = found;
      this.#on.state?.(problem?.isFinal ? 'refused' : 'lost', problem);
      if (problem?.isFinal) return;
      await new Promise(resolve => setTimeout(resolve, pause(attempt)));
    }
  }

  /** The server's time, in ms: the clock of the machine that shows the page may be wrong. */
  now() {
    return Date.now() + this.#clockOffset;
  }

  /** Sends data to the server, if the connection is open. */
  send(data) {
    this.#socket?.send(JSON.stringify(data));
  }

  /** Reads one connection to its end. Returns whether it was open: the server's first message is a heartbeat. */
  #read() {
    const address = this.#address();
    address.protocol = address.protocol.replace('http', 'ws');
    let socket;
    try {
      socket = new WebSocket(address, ['showtime.heartbeat', `bearer.${encodeURIComponent(this.#token)}`]);
    } catch {
      return false; // Characters that no token has.
    }
    return new Promise(resolve => {
      let isOpen = false;
      const end = () => {
        clearTimeout(timer);
        socket.onmessage = socket.onclose = this.#socket = null;
        socket.close();
        resolve(isOpen);
      };
      let timer = setTimeout(end, SILENCE);
      socket.onclose = end;
      socket.onmessage = ({ data }) => {
        clearTimeout(timer);
        timer = setTimeout(end, SILENCE);
        const message = JSON.parse(data);
        if (!isOpen) this.#clockOffset = Date.parse(message.data.sent_at) - Date.now();
        this.#socket = socket;
        if (!isOpen) this.#on.state?.('open', null);
        isOpen = true;
        this.#dispatch(message);
      };
    });
  }

  /**
   * Why the server refuses the feed; null if it does not answer. A browser does not show a page why a WebSocket was
   * refused, so the same is asked for by fetch.
   */
  async #refusal() {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(), ANSWER_TIMEOUT);
    try {
      const headers = { Accept: 'text/event-stream', Authorization: bearer(this.#token) };
      const response = await fetch(this.#address(), { headers, cache: 'no-store', signal: ending.signal });
      if (!response.ok) return { ...await problemOf(response), isFinal: FINAL.includes(response.status) };
      return { status: response.status, detail: NO_WEBSOCKET, isReachable: true };
    } catch {
      return null;
    } finally {
      clearTimeout(timer);
      ending.abort();
    }
  }

  #address() {
    const address = new URL(this.#path, location.href);
    for (const [name, value] of Object.entries(this.#query)) {
      if (name !== 'last' || this.#cursor === null) address.searchParams.set(name, value);
    }
    if (this.#cursor !== null) address.searchParams.set('after', this.#cursor);
    return address;
  }

  #dispatch({ id = null, event, data }) {
    if (id !== null) this.#cursor = id;
    if (event === 'heartbeat') return this.#on.position?.(id);
    if (event !== 'resync') return this.#on.event(event, data, id);
    this.#cursor = data.newest ?? 0;
    return this.#on.resync?.(this.#cursor);
  }
}
