// Calls the API of this server.

const NAME = 'showtime.token';

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

/** Calls the API and returns the JSON answer, or null. A body is sent as JSON, unless it is a file. Throws `Refused` on an error answer. */
export async function call(token, method, path, body) {
  const headers = { Authorization: bearer(token) };
  const isJson = body !== undefined && !(body instanceof Blob);
  if (isJson) headers['Content-Type'] = 'application/json';
  const content = isJson ? JSON.stringify(body) : body;
  const response = await fetch(path, { method, headers, body: content, cache: 'no-store' });
  const isStatus = path === '/status' && response.status === 503;
  if (!response.ok && !isStatus) throw new Refused(await problemOf(response));
  return response.headers.get('Content-Type')?.includes('json') ? response.json() : null;
}
