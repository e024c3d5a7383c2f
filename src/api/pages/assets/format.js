// Formats times and numbers for people.

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** `18:04:11`, in the reader's way and zone. */
export const clock = time => CLOCK.format(new Date(time));

/** `1 Jul 2026, 18:04`. */
export const day = time => DAY.format(new Date(time));

/** `3 h 05 min`. */
export function duration(seconds) {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return hours > 0 ? `${hours} h ${String(rest).padStart(2, '0')} min` : `${rest} min`;
}

/** `1,234`, in the reader's way. */
export const number = value => value.toLocaleString();
