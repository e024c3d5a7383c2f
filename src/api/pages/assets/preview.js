// An overlay inside the page of its settings, which says what to show. It has no token and reads no feed.

/** Whether this page is such a preview. */
export const IS_PREVIEW = new URLSearchParams(location.search).has('preview');

/** Calls `onSettings(query, variations)` and `onShow(example)` as the page around this one asks for it. */
export function followPage({ onSettings, onShow }) {
  addEventListener('message', ({ origin, data }) => {
    if (origin !== location.origin) return;
    if (typeof data?.settings === 'string') onSettings(new URLSearchParams(data.settings), data.variations);
    if (data?.example) onShow(data.example);
  });
  parent.postMessage('ready', location.origin);
}
