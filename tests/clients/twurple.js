// Listens with twurple, and prints what happens to it, one JSON object a line. It ends when its input does.
import { ApiClient } from '@twurple/api';
import { StaticAuthProvider } from '@twurple/auth';
import { EventSubWsListener } from '@twurple/eventsub-ws';

const { client_id, token, user_id, scopes } = JSON.parse(process.argv[2]);
const print = (what, value) => console.log(JSON.stringify({ what, value }));

const authProvider = new StaticAuthProvider(client_id, token, scopes);
const listener = new EventSubWsListener({ apiClient: new ApiClient({ authProvider }) });

listener.onUserSocketReady((_, session) => print('session', session));
listener.onUserSocketDisconnect(() => print('disconnected', null));
listener.onSubscriptionCreateSuccess(subscription => print('subscribed', subscription.id));
listener.onSubscriptionCreateFailure((subscription, error) => print('refused', `${subscription.id}: ${error}`));
listener.onRevoke((subscription, status) => print('revoked', status));

listener.onChannelFollow(user_id, user_id, event => print('follow', event.userName));
listener.onStreamOnline(user_id, event => print('online', event.id));
listener.onChannelChatMessage(user_id, user_id, event => print('chat', event.messageId));
listener.start();

process.stdin.resume();
process.stdin.on('end', () => { listener.stop(); process.exit(0); });
