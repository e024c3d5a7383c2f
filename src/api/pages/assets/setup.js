// The page that composes an overlay's address.

import { element } from './dom.js';
import { KINDS } from './kinds.js';
import { LinkToken } from './link-token.js';
import { NUMBERS, alertSettings, chatSettings } from './settings.js';
import { showAlert } from './alert-card.js';
import { smallLinks } from './small-links.js';
import { toast } from './toast.js';

const $ = id => document.getElementById(id);
const form = $('form');

/** The settings of each overlay; those of a single kind belong to the alerts. */
const TAKES = {
  alerts: ['channel', 'types', 'duration', 'sound', 'volume', 'image', 'max_age'],
  chat: ['channel', 'max', 'max_age'],
};

function kindFields([type, kind]) {
  const placeholders = Object.keys(kind.values(kind.example)).map(name => `{${name}}`).join(' ');
  const field = (name, label, placeholder, note) => [
    element('label', { for: `${name}_${type}` }, label),
    element('input', { id: `${name}_${type}`, name: `${name}_${type}`, placeholder, autocomplete: 'off',
      'aria-describedby': note ? `placeholders_${type}` : null }),
  ];
  return element('div', { class: 'kind' },
    element('label', { class: 'shown' },
      element('input', { type: 'checkbox', name: 'types', value: type, checked: kind.isUsual }), nameOf(type, kind)),
    element('details', {},
      element('summary', {}, 'Text, sound and image', element('span', { class: 'unseen' }, ` of ${nameOf(type, kind)}`)),
      ...field('text', 'Text', kind.text, true),
      element('p', { id: `placeholders_${type}`, class: 'quiet' }, `Placeholders: ${placeholders}`),
      ...field('sound', 'Sound', 'as above'),
      ...field('image', 'Image', 'as above')));
}

function nameOf(type, kind) {
  const [, step] = type.match(/(?:^|_)(begin|progress|end|lock|online|offline)$/) ?? [];
  return step ? `${kind.label}: ${step}` : kind.label;
}

/** The settings that differ from the defaults, in the order of the form. */
function query(overlay) {
  const data = new FormData(form);
  const given = new URLSearchParams();
  for (const name of new Set(data.keys())) {
    const isOfKind = /^(text|sound|image)_/.test(name);
    if (name === 'types' || !(TAKES[overlay].includes(name) || overlay === 'alerts' && isOfKind)) continue;
    const value = data.get(name).trim();
    if (value !== '' && value !== String(NUMBERS[name]?.fallback ?? '')) given.set(name, value);
  }
  const types = data.getAll('types');
  const defaults = Object.keys(KINDS).filter(type => KINDS[type].isUsual);
  if (overlay === 'alerts' && types.join() !== defaults.join()) given.set('types', types.join());
  return given;
}

function address(overlay, given) {
  const text = given.toString().replaceAll('%2C', ',').replaceAll('%7B', '{').replaceAll('%7D', '}');
  return `${location.origin}/overlay/${overlay}${text ? `?${text}` : ''}${token.value ? `#token=${token.value}` : ''}`;
}

function compose() {
  const [alerts, chat] = [query('alerts'), query('chat')];
  $('alerts-address').value = address('alerts', alerts);
  $('chat-address').value = address('chat', chat);
  showSmall(address, chat.get('channel') ?? '');
  const problems = new Map([...alertSettings(alerts).problems, ...chatSettings(chat).problems]
    .map(({ name, message }) => [name, message]));
  if (token.problem) problems.set('token', token.problem);
  if (!new FormData(form).has('types')) problems.set('types', 'choose at least one kind of alert');
  const labelOf = name => form.elements[name]?.labels?.[0]?.textContent ?? 'Alerts';
  for (const input of form.elements) if (input.name) input.setAttribute('aria-invalid', String(problems.has(input.name)));
  const lines = [...problems].map(([name, message]) => `${labelOf(name)}: ${message}`);
  if (lines.join() === [...$('problems').children].map(it => it.textContent).join()) return;
  $('problems').replaceChildren(...lines.map(line => element('li', {}, line)));
}

async function play() {
  const { settings } = alertSettings(query('alerts'));
  await showAlert($('preview'), KINDS[$('preview-kind').value].example, settings);
}

async function copy({ currentTarget }) {
  const input = $(currentTarget.dataset.copy);
  input.select();
  try {
    await navigator.clipboard.writeText(input.value);
    toast(token.value ? 'Copied' : 'Copied; it has no token yet');
  } catch {
    toast('It is selected: copy it with Ctrl-C');
  }
}

$('kinds').append(...Object.entries(KINDS).map(kindFields));
$('preview-kind').append(...Object.entries(KINDS).map(([type, kind]) => new Option(nameOf(type, kind), type)));
for (const [name, { fallback }] of Object.entries(NUMBERS)) form.elements[name].value = fallback;
const showSmall = smallLinks($('small-addresses'), copy);
const token = new LinkToken(compose);
form.addEventListener('input', compose);
form.addEventListener('submit', event => event.preventDefault());
$('play').addEventListener('click', play);
for (const button of document.querySelectorAll('[data-copy]')) button.addEventListener('click', copy);
compose();
