// The list of events.

import { element } from './dom.js';
import { isForgotten } from './demo.js';
import { KindButtons } from './event-kinds.js';
import { EventRow } from './event-row.js';
import { date } from './format.js';
import { join } from './gifts.js';
import { SAMPLE } from './totals.js';

/** Events shown at most, beside older ones that were asked for; then the oldest are removed. */
const MAX_SHOWN = 200;
const PAGE = 50;
const TICK = 15_000;
/** Pause before the list is asked for again, after an error. */
const AFTER_ERROR = 5_000;
/** The key of the newest event that was marked as read. */
const READ = 'showtime.read';

export class Events {
  /** Called with the number of events that were not read. */
  onUnread = () => {};
  #ask; #channels; #kinds;
  #list = document.getElementById('event-list');
  #note = document.getElementById('events-note');
  #filter = document.getElementById('filter');
  #button = document.getElementById('pause');
  #older = document.getElementById('older');
  /** Newest first, as they are shown. */
  #rows = [];
  #waiting = [];
  /** The id behind which older events are; null at the beginning of the log, undefined while nothing is loaded. */
  #next;
  /** The newest id of the page that was loaded; 0 while none is. What the page has may come over the feed later. */
  #newest = 0;
  /** Why older events could not be loaded; null if they could be. */
  #problem = null;
  /** Counts the times that the list was loaded. */
  #loads = 0;
  #isLoading = true;
  #isLoadingOlder = false;
  /** Whether more have waited than are kept: then the list is loaded again. */
  #hasDropped = false;
  #isPaused = false;
  #isPointed = false;
  #max = MAX_SHOWN;
  #read = Number(localStorage.getItem(READ) ?? 0);

  constructor(ask, channels) {
    [this.#ask, this.#channels] = [ask, channels];
    this.#kinds = new KindButtons(document.getElementById('kinds'));
    this.#kinds.onChange = () => this.load();
    this.#filter.addEventListener('input', () => this.#choose());
    this.#button.addEventListener('click', () => this.#pause());
    this.#older.addEventListener('click', () => this.#loadOlder());
    document.getElementById('mark-read').addEventListener('click', () => this.#markRead());
    // Nothing moves under the pointer.
    this.#list.addEventListener('pointerenter', () => this.#point(true));
    this.#list.addEventListener('pointerleave', () => this.#point(false));
    document.addEventListener('keydown', event => this.#press(event));
    setInterval(() => this.#rows.forEach(row => row.tick(Date.now())), TICK);
    this.#showNote();
  }

  /**
   * Loads the last events of the chosen kinds. Those that come meanwhile are shown after them, and also if that fails; then it is
   * tried again.
   */
  async load() {
    const load = ++this.#loads;
    this.#isLoading = true;
    this.#newest = 0;
    const page = await this.#page(null, load);
    if (load !== this.#loads) return;
    if (page === null) {
      setTimeout(() => load === this.#loads && this.load(), AFTER_ERROR);
      this.#waiting = this.#waiting.filter(event => this.#kinds.isChosen(event));
      this.#isLoading = this.#hasDropped = false;
      return void this.#showWaiting();
    }
    this.#list.replaceChildren();
    [this.#rows, this.#max] = [[], MAX_SHOWN];
    this.#append(page);
    this.#newest = page.data[0]?.id ?? 0;
    this.#waiting = this.#waiting.filter(event => !this.#isListed(event) && this.#kinds.isChosen(event));
    this.#isLoading = this.#hasDropped = false;
    this.#showWaiting();
  }

  /** Shows an event, if it is of a chosen kind and was not in the page that was loaded. */
  add(event) {
    if (event.type === SAMPLE || isForgotten(event) || this.#isListed(event) || !this.#kinds.isChosen(event)) return;
    this.#waiting.push(event);
    if (this.#waiting.length > MAX_SHOWN) {
      this.#waiting.shift();
      this.#hasDropped = true;
    }
    this.#showWaiting();
  }

  /** Says of each event again of which channel it is, since other channels are known. */
  nameChannels() {
    for (const row of this.#rows) row.channel = this.#channels.nameOf(row.event.channel_id);
  }

  #isListed({ id, is_replay }) {
    return !is_replay && id <= this.#newest;
  }

  get #isHeld() {
    return this.#isPaused || this.#isPointed || this.#isLoading;
  }

  #showWaiting() {
    if (this.#hasDropped && !this.#isHeld) return void this.load();
    if (!this.#isHeld) for (const event of this.#waiting.splice(0)) this.#prepend(event);
    this.#showNote();
  }

  #pause() {
    this.#isPaused = !this.#isPaused;
    this.#button.setAttribute('aria-pressed', String(this.#isPaused));
    this.#button.textContent = this.#isPaused ? 'Resume' : 'Pause';
    this.#showWaiting();
  }

  #point(isPointed) {
    this.#isPointed = isPointed;
    this.#showWaiting();
  }

  #showNote() {
    const count = this.#waiting.length;
    if (this.#isPaused) this.#note.textContent = `Paused; ${count} more events wait.`;
    else if (count > 0 && this.#isPointed) this.#note.textContent = `${count} more events wait until the pointer leaves the list.`;
    else if (this.#problem !== null) this.#note.textContent = `Older events can't be loaded: ${this.#problem}`;
    else this.#note.textContent = this.#rows.length > 0 || this.#isLoading ? '' : 'None yet.';
    this.#older.hidden = this.#rows.length === 0 || this.#next === undefined;
    this.#older.setAttribute('aria-busy', String(this.#isLoadingOlder));
    this.#older.disabled = this.#next === null;
    this.#older.textContent = this.#next === null ? 'That is the beginning of the log' : 'Load older';
    this.onUnread(this.#rows.filter(row => row.event.id > this.#read && !row.event.is_replay && !row.root.hidden).length);
  }

  #row(event) {
    const row = new EventRow(this.#ask, event);
    row.channel = this.#channels.nameOf(event.channel_id);
    row.root.hidden = !this.#isShown(row);
    row.root.classList.toggle('read', event.id <= this.#read);
    return row;
  }

  #prepend(event) {
    const row = this.#row(event);
    if (join(row, this.#rows)) return;
    const [before] = this.#rows.filter(it => !it.isJoined);
    if (before && date(before.event.occurred_at) !== date(event.occurred_at)) this.#list.prepend(divider(before));
    this.#list.prepend(row.root);
    this.#rows = [row, ...this.#rows.filter(it => !it.isJoined)];
    const removed = this.#rows.splice(this.#max);
    for (const { root } of removed) {
      root.remove();
      if (this.#list.lastElementChild?.matches('.day')) this.#list.lastElementChild.remove();
    }
    // They can be loaded again. A replay is not where its event is.
    const newest = removed.find(({ event }) => !event.is_replay);
    if (newest) this.#next = newest.event.id + 1;
  }

  /** Shows a page of events, newest first, behind those that are there. */
  #append({ data, next }) {
    for (const event of data.filter(it => !isForgotten(it))) {
      const row = this.#row(event);
      const last = this.#rows.at(-1);
      if (last && date(last.event.occurred_at) !== date(event.occurred_at)) this.#list.append(divider(row));
      this.#list.append(row.root);
      this.#rows.push(row);
      // What is older may tell of the gift whose subscriptions are shown, or be one of them.
      const isPart = join(row, this.#rows.slice(0, -1));
      if (isPart) row.hide();
      this.#rows = this.#rows.filter(it => !it.isJoined && !(isPart && it === row));
    }
    this.#next = next;
  }

  /** The page of events of the chosen kinds behind an id, asked for by this load; null if it can't be loaded, which the note says. */
  async #page(after, load) {
    const types = [...this.#kinds.patterns(), `-${SAMPLE}`].join();
    const query = new URLSearchParams({ order: 'desc', limit: PAGE, type: types, ...after !== null && { after } });
    const [page, problem] = await this.#ask('GET', `/events?${query}`).then(answer => [answer, null], error => [null, error.message]);
    if (load === this.#loads) this.#problem = problem;
    return page;
  }

  async #loadOlder() {
    if (this.#isLoading || this.#isLoadingOlder) return;
    const load = this.#loads;
    this.#isLoadingOlder = true;
    this.#showNote();
    const page = await this.#page(this.#next, load);
    this.#isLoadingOlder = false;
    if (page !== null && load === this.#loads) {
      this.#max += page.data.length;
      this.#append(page);
    }
    this.#showNote();
  }

  #markRead() {
    this.#read = Math.max(this.#read, ...this.#rows.map(row => row.event.id));
    localStorage.setItem(READ, String(this.#read));
    for (const { root, event } of this.#rows) root.classList.toggle('read', event.id <= this.#read);
    this.#showNote();
  }

  #choose() {
    for (const row of this.#rows) row.root.hidden = !this.#isShown(row);
    this.#showNote();
  }

  #isShown({ searched }) {
    return searched.includes(this.#filter.value.trim().toLowerCase());
  }

  /** j and k go to the next and the previous event, r replays it, / goes to the filter. */
  #press(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select, dialog[open]')) return;
    const shown = this.#rows.filter(row => !row.root.hidden);
    const place = shown.findIndex(row => row.root.contains(document.activeElement));
    const go = to => shown[Math.min(Math.max(to, 0), shown.length - 1)]?.summary.focus();
    const actions = { j: () => go(place + 1), k: () => go(place - 1), r: () => shown[place]?.replay.click(), '/': () => this.#filter.focus() };
    if (!Object.hasOwn(actions, key)) return;
    event.preventDefault();
    actions[key]();
  }
}

function divider({ event }) {
  return element('li', { class: 'day quiet' }, element('time', { datetime: event.occurred_at }, date(event.occurred_at)));
}
