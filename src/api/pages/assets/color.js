// Makes colours readable.

const MIN_CONTRAST = 4.5;
const WHITE = [255, 255, 255];
const BLACK = [0, 0, 0];
/** Of users without a colour, on dark panels and on light ones. */
const FALLBACKS = ['#c4b5fd', '#5b21b6'];

const parts = color => [1, 3, 5].map(at => parseInt(color.slice(at, at + 2), 16));

/** Relative luminance, as WCAG defines it. */
function luminance(color) {
  const [red, green, blue] = color.map(it => it / 255).map(it => it <= 0.04045 ? it / 12.92 : ((it + 0.055) / 1.055) ** 2.4);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** The contrast of two colours, from 1 to 21. */
export function contrast(color, panel) {
  const [one, other] = [luminance(color), luminance(panel)];
  return (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
}

/** The colour that a user chose, lightened or darkened until it is readable on the panel; both as `#8b5cf6`. */
export function readable(chosen, panel) {
  const ground = parts(panel);
  const isDark = contrast(WHITE, ground) >= contrast(BLACK, ground);
  const end = isDark ? 255 : 0;
  const step = isDark ? Math.ceil : Math.floor;
  let color = parts(/^#[0-9a-f]{6}$/i.test(chosen ?? '') ? chosen : FALLBACKS[isDark ? 0 : 1]);
  while (contrast(color, ground) < MIN_CONTRAST && color.some(it => it !== end)) color = color.map(it => step(it + (end - it) * 0.1));
  return `#${color.map(it => it.toString(16).padStart(2, '0')).join('')}`;
}
