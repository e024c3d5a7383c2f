'use strict';
const $ = id => document.getElementById(id);
let chosen = location.hash.slice(1);
let knowsFaults = false;
let shown = '';

async function call(method, path, body) {
  const answer = await fetch(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error);
  return json;
}

// Does something, and shows what came of it.
async function act(...request) {
  try {
    await call(...request);
    $('error').textContent = '';
  } catch (error) {
    $('error').textContent = error.message;
  }
  await show();
}

// An element with a class and children. Texts become text nodes, so markup of strangers is only text.
function element(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children.filter(child => child !== undefined && child !== null));
  return made;
}

function button(text, className, act) {
  const made = element('button', className, text);
  made.type = 'button';
  made.onclick = act;
  return made;
}

// A link, if the address is one of the web.
function link(text, address, className) {
  if (!/^https?:\/\//i.test(address ?? '')) return element('span', className, text);
  const made = element('a', className, text);
  made.href = address;
  made.rel = 'noreferrer noopener';
  made.target = '_blank';
  return made;
}

const name = (list, id, mark) => `${mark}${list.find(it => it.id === id)?.name ?? list.find(it => it.id === id)?.username ?? id}`;

// What of Discord's Markdown announcements use: escapes, bold, links, mentions and times.
const MARKS = /\\([^\sA-Za-z0-9])|\*\*(.+?)\*\*|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|<@&(\d+)>|<@!?(\d+)>|<#(\d+)>|<t:(-?\d+)(?::[tTdDfFsSR])?>|(@everyone|@here)|(https?:\/\/[^\s<>)\]]+)/g;

function markdown(text, state) {
  const nodes = [];
  let last = 0;
  for (const found of text.matchAll(MARKS)) {
    nodes.push(text.slice(last, found.index));
    last = found.index + found[0].length;
    const [, escaped, bold, label, address, role, user, channel, time, everyone, url] = found;
    const mention = text => element('span', 'mention', text);
    if (escaped) nodes.push(escaped);
    else if (bold) nodes.push(element('strong', '', ...markdown(bold, state)));
    else if (label) nodes.push(link(label, address));
    else if (role) nodes.push(mention(name(state.roles, role, '@')));
    else if (user) nodes.push(mention(name(state.members, user, '@')));
    else if (channel) nodes.push(mention(name(state.channels, channel, '#')));
    else if (time) nodes.push(new Date(Number(time) * 1000).toLocaleString());
    else if (everyone) nodes.push(mention(everyone));
    else nodes.push(link(url, url));
  }
  nodes.push(text.slice(last));
  return nodes;
}

function embedCard(embed, state) {
  const text = value => value === undefined ? [] : markdown(value, state);
  const card = element('div', 'embed');
  if (embed.color !== undefined) card.style.borderLeftColor = `#${embed.color.toString(16).padStart(6, '0')}`;
  if (embed.author) card.append(element('div', 'author', link(embed.author.name, embed.author.url)));
  if (embed.title) card.append(element('div', 'title', embed.url ? link(embed.title, embed.url) : element('span', '', ...text(embed.title))));
  if (embed.description) card.append(element('div', 'text', ...text(embed.description)));
  const fields = (embed.fields ?? []).map(field =>
    element('div', field.inline ? 'field inline' : 'field', element('b', '', ...text(field.name)), element('span', 'text', ...text(field.value))));
  if (fields.length) card.append(element('div', 'fields', ...fields));
  for (const kind of ['image', 'thumbnail']) {
    if (embed[kind]) card.append(link(`${kind}: ${embed[kind].url}`, embed[kind].url, 'picture'));
  }
  const foot = [embed.footer?.text, embed.timestamp && new Date(embed.timestamp).toLocaleString()].filter(Boolean);
  if (foot.length) card.append(element('div', 'quiet', foot.join(' • ')));
  return card;
}

const buttons = components => components.flatMap(row => row.components ?? [row])
  .filter(component => component.url).map(component => link(component.label ?? component.url, component.url, 'link-button'));

// What a message pinged, in words.
function pinged(message, state) {
  const { everyone, here, roles, users } = message.pings;
  const names = [everyone && '@everyone', here && '@here', ...roles.map(id => name(state.roles, id, '@')), ...users.map(id => name(state.members, id, '@'))];
  const list = names.filter(Boolean).join(', ');
  return list && (message.is_notifying ? `pinged ${list}` : `mentions ${list}, silently`);
}

function messageCard(message, state) {
  const notes = [new Date(message.timestamp).toLocaleTimeString(), message.edited_timestamp && '(edited)', message.flags & 1 ? 'published' : '', pinged(message, state)];
  const head = element('header', '', element('b', '', message.author.username), element('span', 'app', 'APP'), element('span', 'quiet', notes.filter(Boolean).join(' · ')));
  const card = element('li', message.is_notifying ? 'message pings' : 'message',
    button('Delete', 'delete', () => act('DELETE', `/mock/messages/${message.id}`)), head,
    element('div', 'text', ...markdown(message.content, state)));
  card.id = `message-${message.id}`;
  if (!(message.flags & 4)) card.append(...message.embeds.map(embed => embedCard(embed, state)));
  card.append(...message.attachments.map(file => element('div', 'picture', `${file.filename}, ${file.size} bytes`)), ...buttons(message.components));
  return card;
}

function channelButton(channel) {
  const made = button(`${channel.parent_id ? '' : '# '}${channel.name}`, '', () => { chosen = channel.id; location.hash = chosen; show(); });
  made.dataset.channel = channel.id;
  made.setAttribute('aria-current', channel.id === chosen);
  return element('li', channel.parent_id ? 'thread' : '', made);
}

function webhookRow(webhook) {
  return element('li', '', `${webhook.name} · ${webhook.id} `, button('Delete webhook', '', () => act('DELETE', `/mock/webhooks/${webhook.id}`)));
}

// Channels, each followed by its threads.
const ordered = channels => channels.filter(it => !it.parent_id).flatMap(it => [it, ...channels.filter(thread => thread.parent_id === it.id)]);

async function show() {
  const state = await call('GET', '/mock/state');
  const channel = state.channels.find(it => it.id === chosen) ?? state.channels[0];
  chosen = channel?.id ?? '';
  const messages = channel ? (await call('GET', `/mock/channels/${chosen}/messages`)).data : [];
  const seen = JSON.stringify([state, messages, chosen]);
  if (seen === shown) return;
  shown = seen;
  $('channels').replaceChildren(...ordered(state.channels).map(channelButton));
  $('title').textContent = channel ? `# ${channel.name}` : '';
  $('messages').replaceChildren(...messages.map(message => messageCard(message, state)));
  $('webhooks').replaceChildren(...state.webhooks.filter(it => it.channel_id === chosen).map(webhookRow));
  $('calls').replaceChildren(...state.calls.map(it => element('li', 'quiet', [it.at, it.call, it.status || 'no answer', it.code, it.fault].filter(Boolean).join(' · '))));
  if (!knowsFaults) { $('faults').value = JSON.stringify(state.faults, null, 1); knowsFaults = true; }
}

$('set-faults').onclick = () => {
  try { act('PUT', '/mock/faults', JSON.parse($('faults').value)); } catch (error) { $('error').textContent = error.message; }
};
show();
setInterval(() => show().catch(error => { $('error').textContent = error.message; }), 1000);
