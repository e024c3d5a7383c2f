// The sounds of alerts.

/** Stops what plays. */
let stop = () => {};

/** Stops the sound that plays. */
export function silence() {
  stop();
  stop = () => {};
}

/** Plays `none`, `chime` or the sound at an address. OBS lets pages play; a browser may require a click first, and then it stays silent. */
export function play(sound, volume) {
  silence();
  if (sound === 'none' || volume === 0) return;
  if (sound === 'chime') return chime(volume);
  const audio = new Audio(sound);
  audio.volume = volume;
  audio.play().catch(() => {});
  stop = () => audio.pause();
}

let output = null;

/** Two synthesised tones: nothing to load, nothing to license. */
function chime(volume) {
  output ??= new AudioContext();
  output.resume().catch(() => {});
  const tones = [[659.25, 0], [987.77, 0.12]].map(([frequency, delay]) => {
    const [tone, loudness] = [output.createOscillator(), output.createGain()];
    const begin = output.currentTime + delay;
    tone.frequency.value = frequency;
    loudness.gain.setValueAtTime(0, begin);
    loudness.gain.linearRampToValueAtTime(volume * 0.4, begin + 0.02);
    loudness.gain.exponentialRampToValueAtTime(0.0001, begin + 1.2);
    tone.connect(loudness).connect(output.destination);
    tone.start(begin);
    tone.stop(begin + 1.3);
    return loudness;
  });
  stop = () => tones.forEach(loudness => loudness.disconnect());
}
