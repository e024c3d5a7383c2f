// Calls the server with the client that @hey-api/openapi-ts makes, and prints each answer, one JSON object a line.
import { client } from './hey-api/client.gen.js';
import { createToken, currentToken, getChannel, listEvents, liveAlerts, liveState, revokeToken } from './hey-api/index.js';
import type { Alert, Event } from './hey-api/index.js';

declare const process: { argv: string[] };

const { base, token, login } = JSON.parse(process.argv[2] ?? '') as { base: string; token: string; login: string };
const print = (what: string, value: unknown) => console.log(JSON.stringify({ what, value }));
client.setConfig({ baseUrl: base, auth: token });

const events: Event[] = [];
let pages = 0;
let after: number | null = 0;
while (after !== null) {
  const { data }: { data: { data: Event[]; next: number | null } } =
    await listEvents({ query: { limit: 2, after }, throwOnError: true });
  events.push(...data.data);
  after = data.next;
  pages += 1;
}
print('events', { ids: events.map(event => event.id), pages });

const { data: channel } = await getChannel({ path: { channel: login }, throwOnError: true });
const title: string | null = channel.title;
print('channel', { is_live: channel.is_live, stream: channel.stream?.id ?? null, title });

const { data: made } = await createToken({ body: { name: 'made-by-hey', scope: 'overlay' }, throwOnError: true });
const { data: own } = await currentToken({ auth: made.token, throwOnError: true });
print('token', own.scope);
const path = { name: 'made-by-hey' };
print('revoked', (await revokeToken({ path })).response.status);
const { error } = await revokeToken({ path });
if (!error) throw new Error('it is revoked twice');
const kind: 'urn:showtime:problem:not-found' | false = error.type === 'urn:showtime:problem:not-found' && error.type;
print('problem', { kind, status: error.status });

// The feeds, as this client reads Server-Sent Events. It goes on reading after the loop, until it is told to end.
const end = new AbortController();
const { signal } = end;
const state = await liveState({ query: { channel: login }, signal });
for await (const message of state.stream) {
  if ('channels' in message) {
    print('state', message.channels.map(channel => ({ login: channel.login, is_live: channel.is_live })));
    break;
  }
}

function amount(alert: Alert): number | null {
  // @ts-expect-error: not all alerts have bits.
  alert.bits;
  return alert.type === 'cheer' ? alert.bits : null;
}
const alerts: unknown[] = [];
const feed = await liveAlerts({ query: { last: 2 }, signal });
for await (const message of feed.stream) {
  if ('type' in message) alerts.push({ type: message.type, amount: amount(message) });
  if (alerts.length === 2) break;
}
print('alerts', alerts);
end.abort();
