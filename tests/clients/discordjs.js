// Uses a webhook with discord.js, and prints each answer, one JSON object a line.
import { AttachmentBuilder, EmbedBuilder, WebhookClient } from 'discord.js';

const { id, token, api, role, forum, second } = JSON.parse(process.argv[2]);
const print = (what, value) => console.log(JSON.stringify({ what, value: value ?? null }));

const webhook = new WebhookClient({ id, token }, { rest: { api } });
webhook.rest.on('rateLimited', limit => print('limited', { global: limit.global, scope: limit.scope, hash: limit.hash }));

const embed = new EmbedBuilder().setTitle('Speedrun practice').setURL('https://www.twitch.tv/maplearcade').setColor(0x9146ff)
  .setTimestamp(new Date('2026-03-14T17:30:05Z')).addFields({ name: 'Category', value: 'Minecraft', inline: true });
const sent = await webhook.send({ content: `<@&${role}> live`, embeds: [embed], username: 'Maple', allowedMentions: { roles: [role] } });
print('sent', { id: sent.id, content: sent.content, title: sent.embeds[0].title, roles: sent.mention_roles ?? [...sent.mentions.roles.keys()] });
const edited = await webhook.editMessage(sent.id, { content: 'over', embeds: [] });
print('edited', { content: edited.content, embeds: edited.embeds.length, isEdited: (edited.edited_timestamp ?? edited.editedTimestamp) !== null });
print('fetched', (await webhook.fetchMessage(sent.id)).content);
const file = await webhook.send({ files: [new AttachmentBuilder(Buffer.from('picture'), { name: 'a.png' })] });
print('file', file.attachments[0]?.filename ?? [...file.attachments.values()][0].name);
await webhook.deleteMessage(sent.id);
await webhook.fetchMessage(sent.id).catch(error => print('gone', { status: error.status, code: error.code }));
await webhook.send({ content: 'x'.repeat(2001) }).catch(error => print('refused', { status: error.status, code: error.code, text: error.message }));

// More than the limit at once: the client reads the headers and waits.
const many = await Promise.all(Array.from({ length: 8 }, (_, n) => webhook.send(`number ${n}`)));
print('many', new Set(many.map(message => message.id)).size);

const posts = new WebhookClient(forum, { rest: { api } });
const post = await posts.send({ content: 'live', threadName: 'Maple' });
print('post', { isThread: (post.channel_id ?? post.channelId) === post.id });
const reply = await posts.send({ content: 'more', threadId: post.id });
print('reply', (reply.channel_id ?? reply.channelId) === post.id);

await webhook.delete();
await webhook.send('again').catch(error => print('deleted', { status: error.status, code: error.code }));
await new WebhookClient({ id: second, token: 'x'.repeat(68) }, { rest: { api } }).send('a')
  .catch(error => print('unauthorized', { status: error.status, code: error.code }));
process.exit(0);
