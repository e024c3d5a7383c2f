// The kinds of alerts: what each is called, what it says unless the settings say otherwise, and what
// can be put into that text.

const TIERS = { 1000: '1', 2000: '2', 3000: '3' };

const maple = { id: '90210441', login: 'maplearcade', display_name: 'MapleArcade' };
const otter = { id: '55120873', login: 'quietotter', display_name: 'QuietOtter' };

const name = user => user?.display_name ?? 'Anonymous';
const tier = alert => TIERS[alert.tier] ?? alert.tier;
const number = value => value?.toLocaleString('en') ?? '';

/** `label` stands above the text; `isUsual` kinds are shown if the settings name none. */
function kind(type, label, text, isUsual, values, example) {
  const common = alert => ({ user: name(alert.user), channel: alert.channel.display_name });
  return [type, {
    label,
    text,
    isUsual,
    values: alert => ({ ...common(alert), ...values(alert) }),
    example: { type, channel: maple, user: otter, ...example },
  }];
}

export const KINDS = Object.fromEntries([
  kind('follow', 'New follower', '{user} follows!', true, () => ({}), {}),
  kind('raid', 'Raid', '{user} raids with {viewers} viewers!', true,
    it => ({ viewers: number(it.viewers) }), { viewers: 1234 }),
  kind('cheer', 'Cheer', '{user} cheers {bits} bits!', true,
    it => ({ bits: number(it.bits), message: it.message ?? '' }), { bits: 500, message: 'Cheer500 that jump!' }),
  kind('subscribe', 'New subscriber', '{user} subscribes at tier {tier}!', true,
    it => ({ tier: tier(it) }), { tier: '1000', is_gift: false }),
  kind('resubscribe', 'Resubscription', '{user} has subscribed for {months} months!', true,
    it => ({ tier: tier(it), months: number(it.months), message: it.message ?? '' }),
    { tier: '1000', months: 15, message: 'Love this show' }),
  kind('gift', 'Gift subscriptions', '{user} gives {total} subscriptions!', true,
    it => ({ tier: tier(it), total: number(it.total) }), { tier: '1000', total: 5 }),
  kind('redemption', 'Channel points', '{user} redeems {reward}', true,
    it => ({ reward: it.reward?.title ?? '', cost: number(it.reward?.cost), message: it.input ?? '' }),
    { reward: { title: 'Hydrate', cost: 300 }, input: '' }),
  kind('hype_train_begin', 'Hype train', 'A hype train begins at level {level}!', true,
    it => ({ level: number(it.level), total: number(it.total) }), { level: 1, total: 700, user: null }),
  kind('hype_train_progress', 'Hype train', 'The hype train is at level {level}', false,
    it => ({ level: number(it.level), total: number(it.total) }), { level: 2, total: 2100, user: null }),
  kind('hype_train_end', 'Hype train', 'The hype train reached level {level}!', true,
    it => ({ level: number(it.level), total: number(it.total) }), { level: 4, total: 9300, user: null }),
  kind('charity_donation', 'Charity', '{user} donates {amount} to {charity}!', true,
    it => ({ amount: money(it.amount), charity: it.charity_name ?? '' }),
    { charity_name: 'Example Trust', amount: { value: 1000, decimal_places: 2, currency: 'USD' } }),
]);

/** Twitch gives amounts of money in the currency's smallest unit. */
function money(amount) {
  if (!amount) return '';
  const value = amount.value / 10 ** amount.decimal_places;
  return new Intl.NumberFormat('en', { style: 'currency', currency: amount.currency }).format(value);
}
