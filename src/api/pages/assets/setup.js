// The page that composes an overlay's address.

import { element } from './dom.js';
import { KINDS, nameOfType } from './kinds.js';
import { LinkToken } from './link-token.js';
import { MediaCard } from './media-card.js';
import { Missing } from './missing.js';
import { NUMBERS, Reader, alertSettings, chatSettings } from './settings.js';
import { Preview } from './preview-frame.js';
import { SavedCard } from './saved-card.js';
import { SMALL_OVERLAYS, smallLinks } from './small-links.js';
import { SMALL, nameAt, nested, plain } from './stored.js';
import { Variations } from './variations.js';
import { toast } from './toast.js';

const $ = id => document.getElementById(id);
const form = $('form');

/** The settings of each overlay; those of a single kind belong to the alerts. */
const LOOK = ['place', 'width', 'font', 'theme', 'color', 'panel', 'accent'];
const SHARED = ['channel', 'blocked_words', ...LOOK];
const COMMON = [...SHARED, 'max_age'];
const TAKES = {
  ...Object.fromEntries(Object.keys(SMALL_OVERLAYS).map(overlay =>
    [overlay, [...SHARED, ...(SMALL[overlay] ?? []).map(name => `${overlay}_${name}`)]])),
  alerts: [...COMMON, 'types', 'duration', 'sound', 'volume', 'image', 'animation', 'language', 'followers', 'speech'],
  chat: [...COMMON, 'max', 'lifetime', 'direction', 'bots', 'commands', 'hidden', 'emotes'],
};
let savedCard = null;
let missing = null;
/** Those of each type of alerts that has an amount or a tier. */
const variations = {};
/** Fields without a name that the server has refused. */
const refused = new Set();

function kindFields([type, kind]) {
  const placeholders = Object.keys(kind.values(kind.example)).map(name => `{${name}}`).join(' ');
  const field = (name, label, placeholder, { note = null, list = null } = {}) => [
    element('label', { for: `${name}_${type}` }, label),
    element('input', { id: `${name}_${type}`, name: `${name}_${type}`, placeholder, list, autocomplete: 'off', 'aria-describedby': note }),
  ];
  return element('div', { class: 'kind' },
    element('label', { class: 'shown' },
      element('input', { type: 'checkbox', name: 'types', value: type, checked: kind.isUsual }), nameOfType(type)),
    element('details', {},
      element('summary', {}, 'Text, sound and image', element('span', { class: 'unseen' }, ` of ${nameOfType(type)}`)),
      ...field('text', 'Text', kind.text, { note: `placeholders_${type}` }),
      element('p', { id: `placeholders_${type}`, class: 'quiet' }, `Placeholders: ${placeholders}`),
      ...field('sound', 'Sound', 'as above', { list: 'sounds' }),
      ...field('image', 'Image', 'as above', { list: 'images' }),
      ...kind.amount === null ? [] : field('minimum', `Least ${kind.amount} to show`, 'none'),
      ...variationFields(type, kind)));
}

function variationFields(type, { amount, hasTier }) {
  const facts = [amount, hasTier ? 'tier' : null].filter(Boolean);
  if (facts.length === 0) return [];
  variations[type] = new Variations(facts, () => compose());
  return [element('p', { class: 'quiet' }, 'Variations, in saved settings: the first that fits is shown.'), variations[type].root];
}

/** The settings that differ from the defaults, in the order of the form: of one overlay, or of all. */
function query(overlay) {
  const takes = overlay ? TAKES[overlay] : Object.values(TAKES).flat();
  const hasAlerts = !overlay || overlay === 'alerts';
  const data = new FormData(form);
  const given = new URLSearchParams();
  for (const name of new Set(data.keys())) {
    const isOfKind = /^(text|sound|image|minimum)_/.test(name);
    if (name === 'types' || !(takes.includes(name) || hasAlerts && isOfKind)) continue;
    const value = data.getAll(name).join().trim();
    if (value !== '' && value !== String(NUMBERS[name]?.fallback ?? '')) given.set(name, value);
  }
  const types = data.getAll('types');
  const defaults = Object.keys(KINDS).filter(type => KINDS[type].isUsual);
  if (hasAlerts && types.join() !== defaults.join()) given.set('types', types.join());
  return given;
}

/** The settings of the form; what is not in the query has its default. */
function fill(given, own) {
  for (const type of Object.keys(variations)) variations[type].value = own[type] ?? [];
  for (const input of form.elements) {
    if (input.name === 'types') input.checked = given.has('types') ? given.get('types').split(',').includes(input.value) : KINDS[input.value].isUsual;
    else if (input.type === 'checkbox') input.checked = (given.get(input.name) ?? '').split(',').includes(input.value);
    else if (input.name) input.value = given.get(input.name) ?? NUMBERS[input.name]?.fallback ?? '';
  }
  compose();
}

/** The settings of the form as the server keeps them. */
function settingsDocument() {
  const settings = nested(query());
  for (const [type, own] of Object.entries(chosenVariations())) {
    const kinds = (settings.alerts ??= {}).kinds ??= {};
    (kinds[type] ??= {}).variations = own;
  }
  return settings;
}

function chosenVariations() {
  return Object.fromEntries(Object.entries(variations).map(([type, it]) => [type, it.value]).filter(([, own]) => own.length > 0));
}

/** The address of an overlay: with the name of saved settings and what it has of its own, or with these settings. */
function address(overlay, settings, own = new URLSearchParams()) {
  const name = savedCard?.name ?? null;
  const given = name === null ? settings : own;
  const text = given.toString().replaceAll('%2C', ',').replaceAll('%7B', '{').replaceAll('%7D', '}');
  return `${location.origin}/overlay/${overlay}${name === null ? '' : `/${name}`}${text ? `?${text}` : ''}${token.value ? `#token=${token.value}` : ''}`;
}

/** That of a small one. With saved settings it has those of its own that are others: one name may be for several labels. */
function smallAddress(overlay) {
  const [given, saved] = [query(overlay), savedCard?.query];
  const own = [...given].filter(([name, value]) => name.startsWith(`${overlay}_`) && saved?.get(name) !== value);
  return address(overlay, plain(given, overlay), plain(own, overlay));
}

/** What is wrong with the settings of the small overlays. */
function smallProblems() {
  return Object.entries(SMALL_OVERLAYS).flatMap(([overlay, { module }]) => {
    const read = new Reader(plain(query(overlay), overlay));
    module.settings(read);
    const own = SMALL[overlay] ?? [];
    return read.problems().filter(({ name }) => own.includes(name)).map(({ name, message }) => ({ name: `${overlay}_${name}`, message }));
  });
}

function compose() {
  const [alerts, chat] = [query('alerts'), query('chat')];
  $('alerts-address').value = address('alerts', alerts);
  $('chat-address').value = address('chat', chat);
  showSmall(smallAddress);
  const problems = new Map([...alertSettings(alerts).problems, ...chatSettings(chat).problems, ...smallProblems()]
    .map(({ name, message }) => [name, message]));
  if (token.problem) problems.set('token', token.problem);
  if (!new FormData(form).has('types')) problems.set('types', 'choose at least one kind of alert');
  show(problems);
  savedCard?.compare();
  missing?.show(new FormData(form).getAll('types'), (chat.get('channel') ?? '').toLowerCase().split(',').map(it => it.trim()).filter(Boolean));
  const small = Object.keys(SMALL_OVERLAYS).map(overlay => [overlay, plain(query(overlay), overlay)]);
  preview.settings = { alerts, chat, ...Object.fromEntries(small), variations: chosenVariations() };
}

/** Shows each problem beside its field, and all of them above the addresses. */
function show(problems) {
  const labelOf = name => form.elements[name]?.labels?.[0]?.textContent ?? 'Alerts';
  for (const input of form.elements) {
    if (input.name) mark(input, input.type === 'checkbox' ? null : problems.get(input.name) ?? null);
    else if (refused.delete(input)) mark(input, null);
  }
  const lines = [...problems].map(([name, message]) => `${labelOf(name)}: ${message}`);
  if (lines.join() === [...$('problems').children].map(it => it.textContent).join()) return;
  $('problems').replaceChildren(...lines.map(line => element('li', {}, line)));
}

/** Shows what is wrong with a field below it; null if nothing is. */
function mark(input, problem) {
  input.setAttribute('aria-invalid', String(problem !== null));
  const id = `problem-${input.id}`;
  const note = $(id) ?? (problem === null ? null : element('p', { id, class: 'problem' }));
  if (note === null) return;
  if (!note.isConnected) {
    input.after(note);
    input.setAttribute('aria-describedby', [input.getAttribute('aria-describedby'), id].filter(Boolean).join(' '));
  }
  note.textContent = problem ?? '';
}

/** Shows what the server says about the setting at a path, and returns the error to show. */
function refuse(path, error) {
  const input = fieldAt(path);
  if (!input?.labels) return error;
  mark(input, error.message);
  if (!input.name) refused.add(input);
  for (let part = input.closest('details'); part; part = part.parentElement.closest('details')) part.open = true;
  input.focus();
  return new Error(`${input.labels[0].textContent}: ${error.message}`);
}

/** The field of the setting at a path of the document. */
function fieldAt(path) {
  const [, type, place, name] = path?.match(/^alerts\.kinds\.(\w+)\.variations\[(\d+)\]\.?(\w*)/) ?? [];
  return type ? variations[type]?.field(Number(place), name) : path && form.elements[nameAt(path)];
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
$('preview-kind').append(...Object.keys(KINDS).map(type => new Option(nameOfType(type), type)), new Option('Chat', 'chat'),
  ...Object.entries(SMALL_OVERLAYS).map(([overlay, { name }]) => new Option(`${name} (small overlay)`, overlay)));
for (const [name, { fallback }] of Object.entries(NUMBERS)) if (name !== 'minimum') form.elements[name].value = fallback ?? '';
const showSmall = smallLinks($('small-addresses'), copy);
const preview = new Preview(KINDS);
const token = new LinkToken(compose, ask => {
  new MediaCard(ask);
  missing = new Missing(ask, compose);
  savedCard = new SavedCard(ask, { document: settingsDocument, fill, refuse, changed: compose });
});
form.addEventListener('input', compose);
form.addEventListener('submit', event => event.preventDefault());
$('play').addEventListener('click', () => preview.play($('preview-kind').value));
for (const button of document.querySelectorAll('[data-copy]')) button.addEventListener('click', copy);
compose();
