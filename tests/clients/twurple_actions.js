// Calls what changes something with twurple's API client, and prints each answer, one JSON object a line.
import { ApiClient } from '@twurple/api';
import { StaticAuthProvider } from '@twurple/auth';

const { client_id, token, user_id, scopes, viewer_id } = JSON.parse(process.argv[2]);
const print = (what, value) => console.log(JSON.stringify({ what, value: value ?? null }));

const api = new ApiClient({ authProvider: new StaticAuthProvider(client_id, token, scopes, user_id) });

await api.asUser(user_id, async api => {
  const said = await api.chat.sendChatMessage(user_id, 'hello');
  print('said', { id: said.id, isSent: said.isSent });
  await api.chat.sendAnnouncement(user_id, { message: 'soon', color: 'purple' });
  await api.chat.shoutoutUser(user_id, viewer_id);
  const settings = await api.chat.updateSettings(user_id, { slowModeEnabled: true, slowModeDelay: 10 });
  print('settings', settings.slowModeDelay);
  const [ban] = await api.moderation.banUser(user_id, { user: viewer_id, duration: 60, reason: 'spam' });
  print('timeout', ban.expiryDate - ban.creationDate);
  await api.moderation.unbanUser(user_id, viewer_id);
  await api.moderation.warnUser(user_id, viewer_id, 'careful');
  await api.moderation.deleteChatMessages(user_id, said.id).catch(error => print('refused', error.statusCode));
  print('shield', (await api.moderation.updateShieldModeStatus(user_id, true)).isActive);
  await api.channels.updateChannelInfo(user_id, { title: 'New title', gameId: '509658', tags: ['Speedrun'] });
  const channel = await api.channels.getChannelInfoById(user_id);
  print('channel', { title: channel.title, game: channel.gameName, tags: channel.tags });
  await api.channels.addVip(user_id, viewer_id);
  await api.channels.removeVip(user_id, viewer_id);
  print('ad', (await api.channels.startChannelCommercial(user_id, 60)) ?? null);
  const marker = await api.streams.createStreamMarker(user_id, 'here');
  print('marker', marker.description);
  print('clip', await api.clips.createClip({ channel: user_id }));
  await api.whispers.sendWhisper(user_id, viewer_id, 'psst');
});
process.exit(0);
