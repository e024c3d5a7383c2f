// Reads a chat over IRC with twurple, writes in it, and prints what happens, one JSON object a line. It ends when its input does.
import { StaticAuthProvider } from '@twurple/auth';
import { ChatClient } from '@twurple/chat';

const { client_id, token, user_id, scopes, host, channel } = JSON.parse(process.argv[2]);
const print = (what, value) => console.log(JSON.stringify({ what, value: value ?? null }));

const authProvider = new StaticAuthProvider(client_id, token, scopes, user_id);
// twurple puts a port behind the name of the host, and has no setting for another one: here it becomes the query.
const chat = new ChatClient({ authProvider, hostName: `${host}?`, ssl: false, channels: [channel], requestMembershipEvents: true, isAlwaysMod: true });

chat.onAuthenticationSuccess(() => print('logged in', chat.irc.currentNick));
chat.onAuthenticationFailure(text => print('not logged in', text));
chat.onDisconnect(manually => print('disconnected', manually));
chat.onJoin((of, user) => print('join', user));
chat.onPart((of, user) => print('part', user));
chat.onMessage((of, user, text, msg) => print('message', {
  user, text, id: msg.id, by: msg.userInfo.userId, channel: msg.channelId, mod: msg.userInfo.isMod, to: msg.parentMessageId, at: msg.date.getTime(),
}));
chat.onAction((of, user, text) => print('action', text));
chat.onAnnouncement((of, user, info, msg) => print('announcement', { color: info.color, text: msg.text }));
chat.onMessageRemove((of, id) => print('deleted', id));
chat.onTimeout((of, user, seconds) => print('timeout', { user, seconds }));
chat.onBan((of, user) => print('ban', user));
chat.onChatClear(() => print('cleared'));
chat.onSlow((of, on, seconds) => print('slow', on ? seconds : 0));
chat.onMessageFailed((of, reason) => print('failed', reason));
chat.connect();

// Lines of the input are said; one with an id before it is a reply.
let rest = '';
process.stdin.on('data', data => {
  const lines = (rest + data).split('\n');
  rest = lines.pop();
  for (const line of lines) {
    const { text, replyTo } = JSON.parse(line);
    chat.say(channel, text, replyTo ? { replyTo } : {}).then(() => print('said', text), error => print('not said', `${error}`));
  }
});
process.stdin.on('end', () => { chat.quit(); process.exit(0); });
