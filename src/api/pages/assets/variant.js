// Which of the ways to show its kind an alert takes.

/** Whether an alert has at least this amount, or this tier. */
function fits(alert, when) {
  return Object.entries(when).every(([name, value]) => name === 'tier' ? alert.tier === value : alert[name] >= value);
}

/** How an alert is shown: as its kind is, but for what the first variation that fits has of its own. Null below the minimum. */
export function variantOf(alert, { amount }, { variations, minimum, ...usual }) {
  if (minimum !== null && alert[amount] < minimum) return null;
  const variation = variations.find(({ when }) => fits(alert, when)) ?? {};
  const own = Object.entries(variation).filter(([name, value]) => name !== 'when' && value !== null);
  return { ...usual, ...Object.fromEntries(own) };
}
