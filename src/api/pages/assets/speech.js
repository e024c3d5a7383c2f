// Reads messages out.

/** For how long one is read at most, in milliseconds. */
const LONGEST = 30_000;

/** What is read of an alert: its message without cheermotes, if it has so many bits; null if nothing is. */
export function spoken({ bits, message }, least) {
  if (least === null || !(bits >= least) || !message) return null;
  return message.replace(/(?<!\S)[a-z]+\d+(?!\S)/gi, ' ').replace(/[\s*]+/g, ' ').trim() || null;
}

/** Reads a text, and returns when it has been read or `signal` is aborted. A machine without voices reads nothing. */
export function speak(text, { language, volume }, signal) {
  if (text === null || volume === 0 || !globalThis.speechSynthesis) return Promise.resolve();
  const utterance = new SpeechSynthesisUtterance(text);
  [utterance.lang, utterance.volume] = [language, volume / 100];
  return new Promise(resolve => {
    const done = () => {
      clearTimeout(timer);
      resolve();
    };
    const stop = () => {
      hush();
      done();
    };
    const timer = setTimeout(stop, LONGEST);
    utterance.addEventListener('end', done);
    utterance.addEventListener('error', done);
    signal?.addEventListener('abort', stop);
    speechSynthesis.speak(utterance);
  });
}

/** Ends what is read. */
export function hush() {
  globalThis.speechSynthesis?.cancel();
}
