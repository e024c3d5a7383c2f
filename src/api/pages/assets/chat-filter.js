// Which messages the chat does not show.

/** Twitch's badge for bots that write with the application's token. */
const BADGE = 'bot-badge';

/** Bots of many channels that write as users. */
const BOTS = ['botrixoficial', 'fossabot', 'frostytoolsdotcom', 'kofistreambot', 'moobot', 'nightbot', 'pokemoncommunitygame', 'sery_bot',
  'soundalerts', 'streamelements', 'streamlabs', 'tangiabot', 'wizebot'];

/** Whether a message is not shown: it says nothing, or the settings hide it. */
export function isHidden({ user, badges, text, notice, fragments }, { hidesBots, hidesCommands, hidden, blocked }) {
  const login = user?.login?.toLowerCase();
  return !notice?.text.trim() && !fragments.some(it => it.text.trim())
    || hidesCommands && !notice && text.startsWith('!')
    || hidesBots && (BOTS.includes(login) || badges.some(({ set_id }) => set_id === BADGE))
    || hidden.includes(login)
    || [text, notice?.text, user?.display_name].some(it => blocked.isIn(it));
}
