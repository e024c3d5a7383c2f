// Shows the outcome of an action, also to screen readers.

const VISIBLE_MS = 8_000;

let timer = 0;

export function toast(text, isBad = false) {
  const place = document.getElementById('toast');
  place.textContent = text;
  place.classList.toggle('bad', isBad);
  clearTimeout(timer);
  timer = setTimeout(() => { place.textContent = ''; }, VISIBLE_MS);
}

/** Runs the action, marks the button as busy meanwhile, and shows the outcome. */
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
