// Says how something went, to eyes and to screen readers.

const PATIENCE_MS = 8_000;

let timer = 0;

export function toast(text, isBad = false) {
  const place = document.getElementById('toast');
  place.textContent = text;
  place.classList.toggle('bad', isBad);
  clearTimeout(timer);
  timer = setTimeout(() => { place.textContent = ''; }, PATIENCE_MS);
}

/** Does it while the button waits, and says how it went. */
export async function attempt(button, action, done) {
  button.setAttribute('aria-busy', 'true');
  try {
    const answer = await action();
    toast(typeof done === 'function' ? done(answer) : done);
    return true;
  } catch (error) {
    toast(error.message, true);
    return false;
  } finally {
    button.removeAttribute('aria-busy');
  }
}
