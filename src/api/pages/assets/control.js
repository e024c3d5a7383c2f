// What the dashboard, a Stream Deck or a bot asks of the alerts: the data of `control`.

/** Of channels before anything is known: a skip that was asked for earlier is over. */
const UNKNOWN = { paused_at: null, is_muted: false, skips: Infinity, cleared_to: 0 };

export class Control {
  #byChannel;

  constructor(controls = []) {
    this.#byChannel = new Map(controls.map(it => [it.channel_id, it]));
  }

  /** What holds for the channel of an alert. */
  of({ channel }) {
    return this.#byChannel.get(channel.id) ?? this.#byChannel.get(null) ?? UNKNOWN;
  }

  /** Whether an item `{alert, id}` is not to be shown: it was there when the queue was cleared. A replay has no id. */
  clears({ alert, id }, before = this) {
    const { cleared_to } = this.of(alert);
    return id === null ? cleared_to > before.of(alert).cleared_to : id <= cleared_to;
  }

  /** For how many ms the pause that has ended held an alert back. */
  heldFor(alert, before, now) {
    const [was, is] = [before.of(alert).paused_at, this.of(alert).paused_at];
    return was === null || is !== null ? 0 : Math.max(0, now - Math.max(Date.parse(was), Date.parse(alert.occurred_at)));
  }

  /** Whether the alert that is on is to end. */
  skips(alert, before) {
    return this.of(alert).skips > before.of(alert).skips;
  }
}
