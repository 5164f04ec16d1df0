// What every script tells: where to send and with which key comes as JSON on its input, what to send is in story.json.
import { readFileSync } from 'node:fs'

export const asked = JSON.parse(readFileSync(0, 'utf8'))
export const { host, key } = asked
export const story = JSON.parse(readFileSync(new URL('story.json', import.meta.url), 'utf8'))

// An application does not end while an SDK waits to try again, so its timers need not keep it from that.
const running = setInterval(() => {}, 1000)

// What the SDK believes in the end: the errors it reported. Ends the script.
export function tell(errors) {
  clearInterval(running)
  process.stdout.write(JSON.stringify({ errors: errors.map(String) }) + '\n', () => process.exit())
}
