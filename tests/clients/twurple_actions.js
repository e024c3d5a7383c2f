// Does what changes something with twurple's client of Helix, and prints each answer and what its listener hears of it, one JSON
// object a line. It ends when its input does.
import { ApiClient } from '@twurple/api';
import { StaticAuthProvider } from '@twurple/auth';
import { EventSubWsListener } from '@twurple/eventsub-ws';

const { client_id, token, user_id, scopes, viewer_id, spam_id } = JSON.parse(process.argv[2]);
const print = (what, value) => console.log(JSON.stringify({ what, value: value ?? null }));
// The status of a refusal.
const refused = promise => promise.then(() => null, error => error.statusCode ?? `${error}`);

const authProvider = new StaticAuthProvider(client_id, token, scopes, user_id);
const api = new ApiClient({ authProvider });
const listener = new EventSubWsListener({ apiClient: api });

const heard = [
  listener.onChannelChatMessage(user_id, user_id, e => print('heard message', { id: e.messageId, text: e.messageText, by: e.chatterId, to: e.parentMessageId })),
  listener.onChannelChatNotification(user_id, user_id, e => print('heard notice', { type: e.type, text: e.messageText, color: e.announcementColor })),
  listener.onChannelChatMessageDelete(user_id, user_id, e => print('heard delete', { id: e.messageId, of: e.userId })),
  listener.onChannelChatClearUserMessages(user_id, user_id, e => print('heard clear user', e.userId)),
  listener.onChannelChatClear(user_id, user_id, () => print('heard clear')),
  listener.onChannelChatSettingsUpdate(user_id, user_id, e => print('heard settings', e.slowModeDelay)),
  listener.onChannelUpdate(user_id, e => print('heard update', { title: e.streamTitle, game: e.categoryName })),
  listener.onChannelBan(user_id, e => print('heard ban', { user: e.userId, by: e.moderatorId, ends: !!e.endDate, reason: e.reason })),
  listener.onChannelUnban(user_id, e => print('heard unban', e.userId)),
  listener.onChannelModerate(user_id, user_id, e => print('heard moderate', { action: e.moderationAction, by: e.moderatorId, user: e.userId })),
  listener.onChannelWarningSend(user_id, user_id, e => print('heard warning', { user: e.userId, reason: e.reason })),
  listener.onChannelShieldModeBegin(user_id, user_id, e => print('heard shield', e.moderatorId)),
  listener.onChannelShoutoutCreate(user_id, user_id, e => print('heard shoutout', { to: e.shoutedOutBroadcasterId, by: e.moderatorId })),
  listener.onChannelVipAdd(user_id, e => print('heard vip', e.userId)),
  listener.onChannelVipRemove(user_id, e => print('heard unvip', e.userId)),
  listener.onChannelAdBreakBegin(user_id, e => print('heard ad', e.durationSeconds)),
];
let missing = heard.length;
listener.onSubscriptionCreateFailure((subscription, error) => print('not subscribed', `${subscription.id}: ${error}`));
listener.onSubscriptionCreateSuccess(() => { if (--missing === 0) act(); });
listener.start();

async function act() {
  const said = await api.chat.sendChatMessage(user_id, 'hello');
  print('said', { id: said.id, isSent: said.isSent });
  const reply = await api.chat.sendChatMessage(user_id, 'and again', { replyParentMessageId: said.id });
  print('replied', reply.isSent);
  print('no parent', await refused(api.chat.sendChatMessage(user_id, 'what?', { replyParentMessageId: 'gone' })));
  await api.chat.sendAnnouncement(user_id, { message: 'soon', color: 'purple' });
  print('too soon', await refused(api.chat.sendAnnouncement(user_id, { message: 'now', color: 'purple' })));
  await api.chat.shoutoutUser(user_id, viewer_id);
  print('chatters', (await api.chat.getChatters(user_id)).total);
  print('settings', (await api.chat.updateSettings(user_id, { slowModeEnabled: true, slowModeDelay: 10 })).slowModeDelay);

  await api.moderation.deleteChatMessages(user_id, spam_id);
  print('deleted twice', await refused(api.moderation.deleteChatMessages(user_id, spam_id)));
  print('own message', await refused(api.moderation.deleteChatMessages(user_id, said.id)));
  const [timeout] = await api.moderation.banUser(user_id, { user: viewer_id, duration: 60, reason: 'caps' });
  print('timeout', timeout.expiryDate - timeout.creationDate);
  const [ban] = await api.moderation.banUser(user_id, { user: viewer_id, reason: 'spam' });
  print('ban', ban.expiryDate);
  print('banned twice', await refused(api.moderation.banUser(user_id, { user: viewer_id, reason: 'spam' })));
  await api.moderation.unbanUser(user_id, viewer_id);
  print('not banned', await refused(api.moderation.unbanUser(user_id, viewer_id)));
  print('warning', (await api.moderation.warnUser(user_id, viewer_id, 'careful')).reason);
  print('shield', (await api.moderation.updateShieldModeStatus(user_id, true)).isActive);
  await api.moderation.deleteChatMessages(user_id);

  await api.channels.updateChannelInfo(user_id, { title: 'New title', gameId: '509658', tags: ['Speedrun'] });
  const channel = await api.channels.getChannelInfoById(user_id);
  print('channel', { title: channel.title, game: channel.gameName, tags: channel.tags });
  print('found', (await api.search.searchCategories('chat')).data.map(game => game.name));
  print('game', (await api.games.getGameByName('Art')).id);
  await api.channels.addVip(user_id, viewer_id);
  print('vip already', await refused(api.channels.addVip(user_id, viewer_id)));
  await api.channels.removeVip(user_id, viewer_id);
  await api.channels.startChannelCommercial(user_id, 60);
  const marker = await api.streams.createStreamMarker(user_id, 'here');
  print('marker', marker.description);
  const id = await api.clips.createClip({ channel: user_id });
  let clip;
  while (!(clip = await api.clips.getClipById(id))) await new Promise(resolve => setTimeout(resolve, 100));
  print('clip', clip.url === `https://clips.twitch.tv/${id}`);
  await api.whispers.sendWhisper(user_id, viewer_id, 'psst');
  print('done');
}

process.stdin.resume();
process.stdin.on('end', () => { listener.stop(); process.exit(0); });
