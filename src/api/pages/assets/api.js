// Calls the API of this server.

const NAME = 'showtime.token';
/** How long an answer may take; and that to a file, which has to get there first. In milliseconds. */
const TIMEOUT = 15_000;
const FILE_TIMEOUT = 5 * 60_000;

/** The token behind `#` in the address, or null. */
export function tokenInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('token');
}

/** The token of this tab. One in the address is moved to the session storage. */
export function takeToken() {
  const given = tokenInAddress();
  if (given === null) return sessionStorage.getItem(NAME);
  keepToken(given);
  history.replaceState(null, '', location.pathname + location.search);
  return given;
}

/** Keeps the token until the tab is closed; null deletes it. */
export function keepToken(token) {
  if (token === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, token);
}

/** An error answer of the server: `status`, its `detail` as the message, and the `field` that is wrong, if it is one. */
export class Refused extends Error {
  constructor({ status, detail, field }) {
    super(detail);
    [this.status, this.field] = [status, field];
  }
}

/** The problem document of an error answer, as `{status, detail, field}`. */
export async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  return { status: response.status, detail: document.detail ?? `the server answered ${response.status}`, field: document.field };
}

/** The header with a token. Characters that no token has are escaped: a header can't hold all of them. */
export function bearer(token) {
  return `Bearer ${encodeURIComponent(token)}`;
}

/**
 * Calls the API and returns the JSON answer, or null. A body is sent as JSON, unless it is a file. Throws `Refused` on an error answer, and
 * an error in plain words if there is none.
 */
export async function call(token, method, path, body) {
  const headers = { Authorization: bearer(token) };
  const isFile = body instanceof Blob;
  const isJson = body !== undefined && !isFile;
  if (isJson) headers['Content-Type'] = 'application/json';
  const content = isJson ? JSON.stringify(body) : body;
  return within(isFile ? FILE_TIMEOUT : TIMEOUT, async signal => {
    const response = await fetch(path, { method, headers, body: content, cache: 'no-store', signal });
    const isStatus = path === '/status' && response.status === 503;
    if (!response.ok && !isStatus) throw new Refused(await problemOf(response));
    return response.headers.get('Content-Type')?.includes('json') ? await response.json() : null;
  });
}

/** What `ask(signal)` returns in so many milliseconds. What a browser says of a network that fails helps no person. */
async function within(milliseconds, ask) {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), milliseconds);
  try {
    return await ask(ending.signal);
  } catch (error) {
    // An answer that is no JSON came from a server that can be reached.
    if (error instanceof Refused || error instanceof SyntaxError) throw error;
    throw new Error(ending.signal.aborted ? 'the server does not answer in time: try again'
      : 'the server can\'t be reached: check that it runs, and the network');
  } finally {
    clearTimeout(timer);
  }
}
