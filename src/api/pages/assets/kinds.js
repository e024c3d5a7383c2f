// The types of alerts: the label of each, its default text, and the values that can be put into that
// text. The alerts themselves are described at /docs.

const TIERS = { 1000: '1', 2000: '2', 3000: '3' };

const channel = { id: '90210441', login: 'maplearcade', display_name: 'MapleArcade' };
const user = { id: '55120873', login: 'quietotter', display_name: 'QuietOtter' };
const usd = value => ({ value, decimal_places: 2, currency: 'USD' });

const nameOf = person => person?.display_name ?? 'Anonymous';

function money({ value, decimal_places, currency }) {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).format(value / 10 ** decimal_places);
}

/** Types with the same values share an entry. */
const ENTRIES = [
  { types: { follow: '{user} follows!' }, label: 'New follower', values: () => ({}), example: { user } },
  {
    types: { raid: '{user} raids with {viewers} {viewers:viewer|viewers}!' },
    label: 'Raid',
    amount: 'viewers',
    values: it => ({ viewers: it.viewers }),
    example: { user, viewers: 1234 },
  },
  {
    types: { cheer: '{user} cheers {bits} {bits:bit|bits}!' },
    label: 'Cheer',
    amount: 'bits',
    values: it => ({ bits: it.bits }),
    example: { user, bits: 500, message: 'Cheer500 that jump!' },
  },
  {
    types: { power_up: '{user} uses a power-up for {bits} {bits:bit|bits}!' },
    label: 'Power-up',
    amount: 'bits',
    values: it => ({ bits: it.bits, title: it.title ?? it.power_up.replaceAll('_', ' ') }),
    example: { user, bits: 300, power_up: 'celebration', title: null, message: null },
  },
  {
    types: { subscribe: '{user} subscribes!' },
    label: 'New subscriber',
    hasTier: true,
    values: it => ({ tier: TIERS[it.tier] ?? it.tier ?? '' }),
    example: { user, tier: '1000', message: null },
  },
  {
    types: { resubscribe: '{user} has subscribed for {months} {months:month|months}!' },
    label: 'Resubscription',
    amount: 'months',
    hasTier: true,
    values: it => ({ tier: TIERS[it.tier] ?? it.tier ?? '', months: it.months }),
    example: { user, tier: '1000', months: 15, message: 'Love this show' },
  },
  {
    types: { gift: '{user} gives {total} {total:subscription|subscriptions}!' },
    label: 'Gift',
    amount: 'total',
    hasTier: true,
    values: it => ({ tier: TIERS[it.tier] ?? it.tier ?? '', total: it.total }),
    example: { user, tier: '1000', total: 5 },
  },
  {
    types: { redemption: '{user} redeems {reward}' },
    label: 'Channel points',
    values: it => ({ reward: it.reward.title.replaceAll('_', ' '), cost: it.reward.cost }),
    example: { user, reward: { title: 'Hydrate', cost: 300 }, message: null },
  },
  {
    types: {
      hype_train_begin: 'A hype train begins!',
      hype_train_progress: 'The hype train is at level {level}',
      hype_train_end: 'The hype train reached level {level}!',
    },
    label: 'Hype train',
    values: it => ({ level: it.level, total: it.total }),
    example: { level: 3, total: 7100 },
  },
  {
    types: {
      goal_begin: 'A new goal: {target}',
      goal_progress: '{current} of {target}',
      goal_end: 'Goal: {current} of {target}!',
    },
    label: 'Goal',
    values: it => ({ current: it.current, target: it.target, description: it.description ?? '' }),
    example: { current: 95, target: 100, description: 'A harder game' },
  },
  {
    types: { charity_donation: '{user} donates {amount} to {charity}!' },
    label: 'Charity',
    values: it => ({ amount: money(it.amount), charity: it.charity.name }),
    example: { user, amount: usd(1000), charity: { name: 'Example Trust' } },
  },
  {
    types: {
      charity_campaign_begin: 'We collect for {charity}!',
      charity_campaign_progress: '{current} of {target} for {charity}',
      charity_campaign_end: '{current} for {charity}. Thank you!',
    },
    label: 'Charity campaign',
    values: it => ({ charity: it.charity.name, current: money(it.current), target: money(it.target) }),
    example: { charity: { name: 'Example Trust' }, current: usd(20_000), target: usd(50_000) },
  },
  {
    types: { poll_begin: '{title}', poll_progress: '{title}', poll_end: '{title} {winner}!' },
    label: 'Poll',
    values: it => ({ title: it.title, winner: most(it.choices, choice => choice.votes) }),
    example: { title: 'Which game?', choices: [{ title: 'The old one', votes: 12 }, { title: 'The new one', votes: 7 }] },
  },
  {
    types: {
      prediction_begin: '{title}',
      prediction_progress: '{title}',
      prediction_lock: 'No more predictions: {title}',
      prediction_end: '{title} {outcome}',
    },
    label: 'Prediction',
    values: it => ({ title: it.title, outcome: it.outcomes.find(one => one.id === it.winning_outcome_id)?.title ?? '' }),
    example: { title: 'Will it work?', outcomes: [{ id: '1', title: 'Yes' }], winning_outcome_id: '1' },
  },
  {
    types: { ad_break_begin: 'Ads for {seconds} {seconds:second|seconds}' },
    label: 'Ad break',
    values: it => ({ seconds: it.duration_seconds }),
    example: { duration_seconds: 60 },
  },
  {
    types: { shoutout_received: '{user} recommends {channel}!' },
    label: 'Shoutout',
    amount: 'viewers',
    values: it => ({ viewers: it.viewers }),
    example: { user, viewers: 860 },
  },
  {
    types: { online: '{channel} is live!', offline: '{channel} has gone offline' },
    label: 'Stream',
    values: () => ({}),
    example: { user: channel, stream_id: '40952121085', started_at: '2026-07-01T18:00:00Z' },
  },
];

/** Shown by default: what a viewer or another channel does for the channel. */
const USUAL = ['follow', 'raid', 'cheer', 'power_up', 'subscribe', 'resubscribe', 'gift', 'redemption',
  'hype_train_begin', 'hype_train_end', 'goal_end', 'charity_donation', 'shoutout_received'];

/**
 * By type: `label`, `text`, `isUsual`, the name of its `amount` or null, `hasTier`, an `example`, and `values(alert)` by their names in
 * a text. Numbers are written in the language of the overlay.
 */
export const KINDS = Object.fromEntries(ENTRIES.flatMap(({ types, label, values, example, amount = null, hasTier = false }) =>
  Object.entries(types).map(([type, text]) => [type, {
    label,
    text,
    isUsual: USUAL.includes(type),
    amount,
    hasTier,
    example: { type, channel, ...example },
    values: alert => ({ ...common(alert), ...values(alert) }),
  }])));

/** What a type is called, such as `Poll: begin`. */
export function nameOfType(type) {
  const [, step] = type.match(/(?:^|_)(begin|progress|end|lock|online|offline)$/) ?? [];
  const { label } = KINDS[type];
  return step ? `${label}: ${step}` : label;
}

function common(alert) {
  return {
    channel: alert.channel.display_name,
    ...'user' in alert && { user: nameOf(alert.user) },
    ...'message' in alert && { message: alert.message ?? '' },
  };
}

/** The titles of the items with the highest count. */
function most(choices, count) {
  const best = Math.max(...choices.map(count));
  return choices.filter(choice => count(choice) === best).map(choice => choice.title).join(', ');
}
