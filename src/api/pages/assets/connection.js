// The badge in the header: whether this page hears of everything, and whether the server takes it in.

const EVERY_MS = 3_000;
/** The server's own limit is two seconds. */
const TIMEOUT_MS = 4_000;

const FEED = { open: 'connected', lost: 'connection lost, trying again', refused: 'refused' };
const READINESS = { unready: 'the server can store nothing now', silent: 'the server does not answer' };

export class Connection {
  #feed = 'lost';
  #readiness = 'ready';
  #onChange;
  #badge = document.getElementById('connection');

  /** `onChange` is called when the server becomes ready, or is no longer ready. */
  constructor(onChange) {
    this.#onChange = onChange;
    this.#watch();
  }

  /** The state of the page's feed. */
  set feed(state) {
    this.#feed = state;
    this.#show();
  }

  /** Asks for the readiness again and again. A feed does not show it: it has heartbeats while the database hangs. */
  async #watch() {
    for (;;) {
      const found = document.hidden ? this.#readiness : await readiness();
      if (found !== this.#readiness) {
        this.#readiness = found;
        this.#show();
        this.#onChange();
      }
      await new Promise(resolve => setTimeout(resolve, EVERY_MS));
    }
  }

  #show() {
    const problem = READINESS[this.#readiness];
    this.#badge.textContent = problem ?? FEED[this.#feed];
    this.#badge.className = `badge ${problem ? 'fail' : this.#feed === 'open' ? 'pass' : 'warn'}`;
  }
}

async function readiness() {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), TIMEOUT_MS);
  try {
    const response = await fetch('/readyz', { cache: 'no-store', signal: ending.signal });
    return response.ok ? 'ready' : 'unready';
  } catch {
    return 'silent';
  } finally {
    clearTimeout(timer);
  }
}
