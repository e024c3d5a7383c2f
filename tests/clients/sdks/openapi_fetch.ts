// Calls the server with openapi-fetch and the types that openapi-typescript makes, and prints each answer, one JSON object a line.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

declare const process: { argv: string[] };
type Alert = components['schemas']['Alert'];

const { base, token, login } = JSON.parse(process.argv[2] ?? '') as { base: string; token: string; login: string };
const print = (what: string, value: unknown) => console.log(JSON.stringify({ what, value }));
const connect = (token: string) => createClient<paths>({ baseUrl: base, headers: { authorization: `Bearer ${token}` } });
const api = connect(token);

// Pages of the log, with the cursor of one as the beginning of the next.
const ids: number[] = [];
let pages = 0;
let after: number | null = 0;
while (after !== null) {
  const page: paths['/events']['get']['responses'][200]['content']['application/json'] | undefined =
    (await api.GET('/events', { params: { query: { limit: 2, after } } })).data;
  if (!page) throw new Error('no page');
  ids.push(...page.data.map(event => event.id));
  after = page.next;
  pages += 1;
}
print('events', { ids, pages });

// A key with `null` is not one that may be missing.
const channel = (await api.GET('/channels/{channel}', { params: { path: { channel: login } } })).data;
if (!channel) throw new Error('no channel');
const title: string | null = channel.title;
print('channel', { is_live: channel.is_live, stream: channel.stream?.id ?? null, title });

const made = await api.POST('/tokens', { body: { name: 'made-by-fetch', scope: 'read' } });
if (!made.data) throw new Error(made.error.detail);
const own = await connect(made.data.token).GET('/tokens/current');
print('token', own.data?.scope);
const path = { name: 'made-by-fetch' };
print('revoked', (await api.DELETE('/tokens/{name}', { params: { path } })).response.status);
const again = await api.DELETE('/tokens/{name}', { params: { path } });
if (!again.error) throw new Error('it is revoked twice');
const kind: 'urn:showtime:problem:not-found' | false = again.error.type === 'urn:showtime:problem:not-found' && again.error.type;
print('problem', { kind, status: again.error.status });
// @ts-expect-error: there is no such type of problem.
again.error.type === 'urn:showtime:problem:nothing';

// Alerts, each known by its type.
function amount(alert: Alert): number | null {
  // @ts-expect-error: not all alerts have bits.
  alert.bits;
  switch (alert.type) {
    case 'cheer': return alert.bits;
    case 'gift': return alert.total;
    case 'raid': return alert.viewers;
    default: return null;
  }
}
const { data: feed, response } = await api.GET('/live/alerts', { params: { query: { last: 2 } }, parseAs: 'stream' });
if (!feed) throw new Error(`no feed: ${response.status}`);
const alerts: Alert[] = [];
let text = '';
const reader = feed.pipeThrough(new TextDecoderStream()).getReader();
while (alerts.length < 2) {
  const { value, done } = await reader.read();
  if (done) throw new Error('the feed ends');
  text += value;
  const parts = text.split('\n\n');
  text = parts.pop() ?? '';
  for (const part of parts) {
    const data = /^data: (.*)$/m.exec(part)?.[1];
    if (data !== undefined) alerts.push(JSON.parse(data) as Alert);
  }
}
await reader.cancel();
print('alerts', alerts.map(alert => ({ type: alert.type, amount: amount(alert) })));
