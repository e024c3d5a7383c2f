// The cards of the channels.

import { element, isolated } from './dom.js';
import { attempt } from './toast.js';
import { clock, day, duration, number } from './format.js';
import { isCounted, tiles } from './totals.js';
import { seriesOf, viewerCurve, viewersNow } from './viewer-curve.js';

/** Channels shown at most; live ones come first. */
const MAX_SHOWN = 50;
/** With more channels than this, the details of a card are loaded when it is opened. */
const FEW = 3;
/** On a screen as narrow as this, where the events are below, a card shows only the numbers, until it is opened. */
const NARROW = matchMedia('(max-width: 63.99rem)');
/** Pause before changed numbers are loaded, in milliseconds. */
const TOTALS_PAUSE = 1_000;

export class Channels {
  /** Called with the shown channels when the selection or order changes. */
  onChange = () => {};
  /** Called with all channels when one of them has changed. */
  onKnown = () => {};
  #ask;
  #known = new Map();
  #cards = new Map();
  #place = document.getElementById('channel-cards');

  constructor(ask) {
    this.#ask = ask;
    setInterval(() => this.#tick(), 15_000);
  }

  replace(channels) {
    this.#known = new Map(channels.map(it => [it.id, it]));
    this.#show();
  }

  update(channel) {
    this.#known.set(channel.id, channel);
    this.#show();
  }

  /** The name of a channel, if there are several. */
  nameOf(id) {
    return this.#known.size > 1 ? this.#known.get(id)?.display_name ?? null : null;
  }

  /** The name of a channel that is live, if there is one. */
  liveName() {
    return [...this.#known.values()].find(it => it.is_live)?.display_name ?? null;
  }

  /** Loads the numbers of the event's channel again, if it may change them. */
  count(event) {
    if (isCounted(event)) this.#cards.get(event.channel_id)?.count();
  }

  #show() {
    const shown = [...this.#known.values()]
      .sort((a, b) => b.is_live - a.is_live || a.login.localeCompare(b.login))
      .slice(0, MAX_SHOWN);
    const order = shown.map(it => it.id).join();
    for (const channel of shown) {
      if (!this.#cards.has(channel.id)) this.#cards.set(channel.id, new Card(this.#ask, channel, this.#known.size <= FEW));
      this.#cards.get(channel.id).update(channel);
    }
    document.getElementById('no-channels').hidden = shown.length > 0;
    this.onKnown([...this.#known.values()]);
    // Moving a card would take the focus from its controls.
    if (order === this.order) return;
    this.order = order;
    this.#place.replaceChildren(...shown.map(it => this.#cards.get(it.id).root));
    this.onChange(shown);
  }

  #tick() {
    for (const card of this.#cards.values()) card.tick();
  }
}

/** The card of one channel. Its elements are kept, so that focus and input are kept too. */
class Card {
  #ask; #channel; #broadcastShown; #timer;
  #loads = 0;
  /** The viewers now, if they are known, and the broadcast that they watch. */
  #viewersNow = null;
  #viewersOf = null;
  #badge = element('span', { class: 'badge' });
  #since = element('p', { class: 'quiet' });
  #title = element('p', { class: 'title' });
  #category = element('p', { class: 'quiet' });
  #totalsTitle = element('h4', { hidden: true });
  #totals = element('dl', { class: 'totals', tabindex: '0' });
  #curve = element('figure', { class: 'picture', hidden: true });
  #segment = element('div', { class: 'segment', hidden: true });
  #broadcasts = element('ol', { class: 'list' });
  #viewers = element('div', { class: 'scrolls', tabindex: '0', role: 'region' });
  #recent;

  constructor(ask, channel, isOpen) {
    this.#ask = ask;
    this.#recent = element('details', { open: isOpen, toggle: () => this.#loadBroadcasts() },
      element('summary', {}, 'Recent broadcasts'), this.#broadcasts);
    this.#viewers.setAttribute('aria-label', `Viewers of ${channel.display_name}`);
    this.#totals.setAttribute('aria-label', `Numbers of ${channel.display_name}`);
    this.root = element('article', { class: 'card channel', 'data-channel': channel.login },
      element('header', {}, element('h3', {}, channel.display_name), this.#badge),
      this.#since, this.#title, this.#category, this.#totalsTitle, this.#totals, this.#segment,
      this.#restOf(channel));
  }

  /** What a narrow screen shows only when it is asked for. */
  #restOf(channel) {
    const rest = element('details', { class: 'rest', open: !NARROW.matches },
      element('summary', {}, 'More'),
      this.#curve, this.#segmentForm(channel), this.#recent,
      element('details', { toggle: ({ currentTarget }) => currentTarget.open && this.#loadViewers() },
        element('summary', {}, 'Viewers'), this.#viewers));
    NARROW.addEventListener('change', () => { rest.open = !NARROW.matches; });
    return rest;
  }

  update(channel) {
    this.#channel = channel;
    this.#badge.textContent = channel.is_live ? kindOf(channel.stream) : 'Offline';
    this.#badge.classList.toggle('live', this.#badge.textContent === 'Live');
    this.#title.textContent = channel.title ?? '';
    this.#category.textContent = channel.category?.name ?? '';
    this.#showSegment(channel.segment ?? null);
    this.tick();
    const broadcast = JSON.stringify([channel.broadcast, channel.stream]);
    if (broadcast === this.#broadcastShown) return;
    this.#broadcastShown = broadcast;
    this.#loadBroadcasts();
  }

  count() {
    if (!this.#channel.broadcast) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#loadBroadcasts();
    }, TOTALS_PAUSE);
  }

  tick() {
    const start = (this.#channel.broadcast ?? this.#channel.stream)?.started_at;
    this.#since.hidden = !start;
    if (!start) return;
    const took = duration((Date.now() - Date.parse(start)) / 1000);
    this.#since.replaceChildren('since ', element('time', { datetime: start }, clock(start)), ` (${took})`);
  }

  #showSegment(segment) {
    this.#segment.hidden = segment === null;
    if (segment === null || this.#segment.dataset.id === segment.id) return;
    this.#segment.dataset.id = segment.id;
    const end = ({ currentTarget }) => attempt(currentTarget,
      () => this.#ask('POST', `/channels/${this.#channel.id}/segments/${encodeURIComponent(segment.id)}/end`),
      `Ended: ${segment.title}`);
    this.#segment.replaceChildren(
      element('span', {}, 'On now: ', isolated('strong', {}, segment.title),
        ...segment.reference ? [' (', isolated('span', {}, segment.reference), ')'] : [],
        ' since ', element('time', { datetime: segment.started_at }, clock(segment.started_at))),
      element('button', { type: 'button', class: 'small end-segment', click: end }, 'End'));
  }

  #segmentForm(channel) {
    const [title, reference] = [this.#field(channel, 'title', 140, true), this.#field(channel, 'reference', 500, false)];
    const start = async event => {
      event.preventDefault();
      const body = { title: title.value.trim(), ...reference.value.trim() && { reference: reference.value.trim() } };
      const path = `/channels/${this.#channel.id}/segments`;
      const isDone = await attempt(event.submitter ?? event.target, () => this.#ask('POST', path, body), `On now: ${body.title}`);
      if (isDone) title.value = reference.value = '';
    };
    const labelled = (input, text, size) => element('div', { class: size }, element('label', { for: input.id }, text), input);
    return element('form', { submit: start, 'aria-label': `Mark what is on now on ${channel.display_name}` },
      element('div', { class: 'row' },
        labelled(title, 'On now', 'grows'), labelled(reference, 'Reference', 'narrow'),
        element('button', { type: 'submit' }, 'Start')));
  }

  #field(channel, name, maxlength, required) {
    return element('input', { id: `segment-${name}-${channel.id}`, name, maxlength, required, autocomplete: 'off' });
  }

  async #loadBroadcasts() {
    if (!this.#channel || !(this.#recent.open || this.#channel.broadcast)) return;
    const load = ++this.#loads;
    const page = await this.#load(`/channels/${this.#channel.id}/broadcasts?limit=5`);
    if (load !== this.#loads) return;
    // The next state of the channel loads them again.
    if (page === null) return void (this.#broadcastShown = null);
    const { data } = page;
    const line = it => element('li', {}, element('time', { datetime: it.started_at }, day(it.started_at)),
      ` · ${duration(it.duration_seconds)}`, it.ended_at ? null : ` · ${kindOf(it.streams.at(-1)).toLowerCase()} now`,
      it.is_end_estimated ? ' (estimated)' : null);
    const [broadcast, before] = data;
    if (broadcast?.id !== this.#viewersOf || broadcast?.ended_at) [this.#viewersOf, this.#viewersNow] = [broadcast?.id, null];
    this.#showTotals(broadcast, before);
    this.#showViewers(broadcast, before, load);
    this.#broadcasts.replaceChildren(...data.length > 0 ? data.map(line) : [element('li', { class: 'quiet' }, 'none yet')]);
  }

  #showTotals(broadcast, before) {
    this.#totalsTitle.hidden = !broadcast;
    if (!broadcast) return;
    this.#totalsTitle.textContent = broadcast.ended_at ? 'Last stream' : 'This stream';
    this.#totals.replaceChildren(...tiles(broadcast, before, this.#viewersNow));
  }

  async #showViewers(broadcast, before, load) {
    const isKnown = (broadcast?.totals.viewers_peak ?? null) !== null;
    if (!isKnown) return void (this.#curve.hidden = true);
    const { query, span } = seriesOf(broadcast, Date.now());
    const series = await this.#load(`/channels/${this.#channel.id}/series?${query}`);
    if (load !== this.#loads || series === null) return;
    const { points } = series;
    this.#viewersNow = viewersNow(broadcast, points, span);
    this.#showTotals(broadcast, before);
    this.#curve.hidden = points.length === 0;
    const isOpen = this.#curve.querySelector('details')?.open ?? false;
    this.#curve.replaceChildren(...viewerCurve(broadcast, points, span));
    this.#curve.querySelector('details').open = isOpen;
  }

  async #loadViewers() {
    const page = await this.#load(`/channels/${this.#channel.id}/viewers?limit=20`);
    if (page === null) return;
    const head = ['Name', 'Follows since', 'Subscription', 'Bits', 'Gifts', 'Raids'];
    const row = it => [it.display_name, it.first_followed_at ? day(it.first_followed_at) : '',
      it.subscription ? 'yes' : '', number(it.bits.total), number(it.gifts.total), number(it.raids.count)];
    this.#viewers.replaceChildren(
      element('table', {},
        element('thead', {}, element('tr', {}, ...head.map(it => element('th', { scope: 'col' }, it)))),
        element('tbody', {}, ...page.data.map(it => element('tr', {}, ...row(it).map(cell => element('td', {}, cell)))))),
      element('p', { class: 'quiet' }, `Without a name: ${number(this.#channel.anonymous_bits)} bits, `
        + `${number(this.#channel.anonymous_gifts)} gifts.`));
  }

  /** The answer; null if there is none. Then what is shown stays, and the connection's badge shows the failure. */
  #load(path) {
    return this.#ask('GET', path).catch(() => null);
  }
}

/** The kind of a stream: `Live`, `Rerun`, `Premiere`, `Watch party` or `Playlist`. */
function kindOf(stream) {
  const type = stream?.type || 'live';
  return type.charAt(0).toUpperCase() + type.slice(1).replaceAll('_', ' ');
}
