// How an overlay looks: the settings that all kinds share.

/** Where an overlay may stand in its source. */
export const PLACES = ['top-left', 'top', 'top-right', 'left', 'center', 'right', 'bottom-left', 'bottom', 'bottom-right'];

/** The colours and panels to begin with. */
export const THEMES = ['dark', 'light', 'plain'];

/** How an alert comes in, as alert.css has it. */
export const ANIMATIONS = ['rise', 'drop', 'left', 'right', 'zoom', 'fade'];

/** The panels of the themes, as alert.css and overlay.css have them. */
const PANELS = { dark: '#18181b', light: '#ffffff', plain: '#18181b' };

/** Has the page look like this. What is null has its default. */
export function applyLook({ place, width, font, theme, color, panel, accent }) {
  const { style, dataset } = document.body;
  const set = (name, value) => value === null ? style.removeProperty(name) : style.setProperty(name, value);
  dataset.theme = theme ?? 'dark';
  set('--across', place && (place.endsWith('left') ? 'start' : place.endsWith('right') ? 'end' : 'center'));
  set('--down', place && (place.startsWith('top') ? 'start' : place.startsWith('bottom') ? 'end' : 'center'));
  set('--width', width && `${width}%`);
  set('font-family', font && `"${font}", system-ui, sans-serif`);
  set('--own-word', color);
  set('--own-panel', panel);
  set('--own-accent', accent);
}

/** The colour of the panels of a look. */
export function panelOf({ panel, theme }) {
  return panel ?? PANELS[theme ?? 'dark'];
}
