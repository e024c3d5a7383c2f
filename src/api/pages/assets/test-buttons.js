// The buttons that send test events.

import { element } from './dom.js';
import { attempt } from './toast.js';

const KINDS = {
  'stream.online': 'Stream begins',
  'stream.offline': 'Stream ends',
  'channel.follow': 'Follow',
  'channel.raid': 'Raid',
  'channel.cheer': 'Cheer',
  'channel.subscribe': 'Subscription',
  'channel.subscription.message': 'Resubscription',
  'channel.subscription.gift': 'Gift',
  'channel.channel_points_custom_reward_redemption.add': 'Redemption',
  'channel.hype_train.begin': 'Hype train begins',
  'channel.hype_train.progress': 'Hype train goes on',
  'channel.hype_train.end': 'Hype train ends',
  'channel.goal.begin': 'Goal begins',
  'channel.goal.progress': 'Goal goes on',
  'channel.goal.end': 'Goal ends',
  'channel.charity_campaign.donate': 'Donation',
  'channel.poll.begin': 'Poll begins',
  'channel.poll.end': 'Poll ends',
  'channel.prediction.begin': 'Prediction begins',
  'channel.prediction.end': 'Prediction ends',
  'channel.shoutout.receive': 'Shoutout',
  'channel.ad_break.begin': 'Ad break',
  'channel.chat.message': 'Chat message',
};

/** Makes the buttons, and keeps the choice of channels current. */
export function offerTests(ask, channels) {
  const choice = document.getElementById('test-channel');
  const send = (type, label) => async ({ currentTarget }) => {
    const path = `/channels/${encodeURIComponent(choice.value)}/test`;
    await attempt(currentTarget, () => ask('POST', path, { type }), `Sent a test: ${label}`);
  };
  const buttons = Object.entries(KINDS).map(([type, label]) =>
    element('button', { type: 'button', 'data-test': type, click: send(type, label), disabled: true }, label));
  document.getElementById('test-buttons').replaceChildren(...buttons);
  channels.onChange = known => {
    const chosen = choice.value;
    choice.replaceChildren(...known.map(it => new Option(it.display_name, it.id, false, it.id === chosen)));
    for (const button of buttons) button.disabled = known.length === 0;
  };
}
