// Calls this server.

const NAME = 'showtime.token';

/** The token behind `#` in the address, if one is there. */
export function tokenInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get('token');
}

/** The token of this tab: one in the address is kept here and taken away there. */
export function takeToken() {
  const given = tokenInAddress();
  if (given === null) return sessionStorage.getItem(NAME);
  keepToken(given);
  history.replaceState(null, '', location.pathname + location.search);
  return given;
}

/** Keeps it until the tab is closed; null forgets it. */
export function keepToken(token) {
  if (token === null) sessionStorage.removeItem(NAME);
  else sessionStorage.setItem(NAME, token);
}

/** What the server said that went wrong, in words. */
export class Refused extends Error {
  constructor({ status, detail }) {
    super(detail);
    this.status = status;
  }
}

/** An answer that is an error, as `{status, detail}`. */
export async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  return { status: response.status, detail: document.detail ?? `the server answered ${response.status}` };
}

/** Asks for a document, or sends one. Throws what the server says against it. */
export async function call(token, method, path, body) {
  const headers = { Authorization: `Bearer ${token}` };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const content = body === undefined ? undefined : JSON.stringify(body);
  const response = await fetch(path, { method, headers, body: content, cache: 'no-store' });
  const isStatus = path === '/status' && response.status === 503;
  if (!response.ok && !isStatus) throw new Refused(await problemOf(response));
  return response.headers.get('Content-Type')?.includes('json') ? response.json() : null;
}
