// Formats times and numbers for people.

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'full' });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** `18:04:11`, in the reader's way and zone. */
export const clock = time => CLOCK.format(new Date(time));

/** `1 Jul 2026, 18:04`. */
export const day = time => DAY.format(new Date(time));

/** `1 Jul 2026, 18:04:11`. */
export const moment = time => MOMENT.format(new Date(time));

/** `Wednesday 1 July 2026`. */
export const date = time => DATE.format(new Date(time));

/** `now`, `2 min ago`, `3 h ago`, `5 d ago`. */
export function ago(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min ago`;
  return minutes < 48 * 60 ? `${Math.floor(minutes / 60)} h ago` : `${Math.floor(minutes / 1440)} d ago`;
}

/** `3 h 05 min`. */
export function duration(seconds) {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  const [hours, rest] = [Math.floor(minutes / 60), minutes % 60];
  return hours > 0 ? `${hours} h ${String(rest).padStart(2, '0')} min` : `${rest} min`;
}

/** `4:59`, or `1:04:59`. */
export function countdown(seconds) {
  const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = value => String(value).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** `1,234`, in the reader's way. */
export const number = value => value.toLocaleString();
