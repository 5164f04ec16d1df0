import { init, track, identify, Identify, Types } from '@amplitude/analytics-node'
import { host, key, story, tell } from './story.mjs'

// What is sent by a timer is tried again, what `flush` sends is not.
init(key, {
  serverUrl: `${host}/2/httpapi`,
  flushIntervalMillis: 50,
  logLevel: Types.LogLevel.None,
})
const at = { user_id: story.user, device_id: 'device-1', time: Date.parse(story.time) }
const results = await Promise.all(
  [
    track(story.event, story.properties, { ...at, session_id: 1762000000000, insert_id: 'one', language: 'de-CH' }),
    track('visited', undefined, { ...at, insert_id: 'two' }),
    identify(new Identify().set('name', story.traits.name).setOnce('plan', story.traits.plan), at),
  ].map((sent) => sent.promise),
)
tell(results.filter((result) => result.code !== 200).map((result) => `${result.code} ${result.message}`))
