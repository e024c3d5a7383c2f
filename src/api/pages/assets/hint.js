// What an overlay says about itself when it can't work. Small, since it may be on air.

import { tokenInAddress } from './api.js';
import { element } from './dom.js';

const NO_TOKEN = 'showtime: no token. End the address with #token=… (token create --name obs --scope read makes one).';
const REFUSALS = { 401: 'the token is not accepted', 403: 'the token may not read' };

/** What to say about settings that are wrong. */
export function aboutSettings(problems) {
  return problems.map(({ name, message }) => `${name}: ${message}`);
}

/** Starts the overlay's feed if there is a token for it. */
export function begin(feed, complaints) {
  hint(tokenInAddress() ? complaints : [...complaints, NO_TOKEN]);
  if (tokenInAddress()) feed.start();
  // Another token behind # does not load the page anew by itself.
  addEventListener('hashchange', () => location.reload());
}

/** Tells that the server refuses the feed. That it is away is not for viewers to read. */
export function tell(state, problem, complaints) {
  document.body.dataset.feed = state;
  if (state !== 'refused') return hint(complaints);
  const what = REFUSALS[problem.status] ?? 'refused';
  return hint([...complaints, `showtime: ${what} (${problem.status}): ${problem.detail}`]);
}

/** Shows these lines, or nothing if there are none. */
function hint(lines) {
  const place = document.getElementById('hint');
  place.replaceChildren(...lines.map(line => element('p', {}, line)));
  place.hidden = lines.length === 0;
}
