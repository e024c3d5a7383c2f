// Makes colours readable.

/** The background of names: --panel of overlay.css. */
const PANEL = [24, 24, 27];
const MIN_CONTRAST = 4.5;
const FALLBACK = '#c4b5fd';

/** Relative luminance, as WCAG defines it. */
function luminance(color) {
  const [red, green, blue] = color.map(it => it / 255).map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast of a colour with the panel, from 1 to 21. */
export function contrast(color) {
  const [one, other] = [luminance(color), luminance(PANEL)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** The colour that a user chose, lightened until it is readable on the panel. */
export function readable(chosen) {
  if (!/^#[0-9a-f]{6}$/i.test(chosen ?? '')) return FALLBACK;
  let color = [1, 3, 5].map(at => parseInt(chosen.slice(at, at + 2), 16));
  while (contrast(color) < MIN_CONTRAST) color = color.map(it => Math.min(255, Math.ceil(it + (255 - it) * 0.1)));
  return `#${color.map(it => it.toString(16).padStart(2, '0')).join('')}`;
}
