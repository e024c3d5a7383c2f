// The notice that an overlay shows when it can't work. Small, since it may be on air.

import { call, tokenInAddress } from './api.js';
import { element } from './dom.js';

const NO_TOKEN = 'showtime: no token. End the address with #token=… (token create --name obs --scope overlay makes one).';
const FOR_ADMINS = 'showtime: this token may change everything, and can be read in OBS. /overlay/settings makes one for overlays.';
const REFUSALS = { 200: 'no connection', 401: 'the token is not accepted', 403: 'the token may not read' };

/** The lines for wrong settings. */
export function settingsProblems(problems) {
  return problems.map(({ name, message }) => `${name}: ${message}`);
}

/** Starts the overlay's feed if there is a token for it, and that is no token of an admin. */
export async function startFeed(feed, complaints) {
  // A change behind # does not reload the page by itself.
  addEventListener('hashchange', () => location.reload());
  const token = tokenInAddress();
  showNotice(token ? complaints : [...complaints, NO_TOKEN]);
  if (!token) return;
  // An error is the feed's to show, and to try again.
  const { scope } = await call(token, 'GET', '/tokens/current').catch(() => ({}));
  if (scope !== 'admin') return feed.start();
  document.body.dataset.feed = 'refused';
  return showNotice([...complaints, FOR_ADMINS]);
}

/** Shows that the feed can't be followed. A connection that is lost for a while is not for viewers to read. */
export function showState(state, problem, complaints) {
  document.body.dataset.feed = state;
  if (state !== 'refused' && !problem?.isReachable) return showNotice(complaints);
  const reason = REFUSALS[problem.status] ?? 'refused';
  return showNotice([...complaints, `showtime: ${reason} (${problem.status}): ${problem.detail}`]);
}

/** Shows these lines, or nothing if there are none. */
export function showNotice(lines) {
  const place = document.getElementById('hint');
  place.replaceChildren(...lines.map(line => element('p', {}, line)));
  place.hidden = lines.length === 0;
}
