// The SDK tries nothing again by itself: its users do, with the same $insert_id.
import Mixpanel from 'mixpanel'
import { host, key, story, tell } from './story.mjs'

const errors = []
const mixpanel = Mixpanel.init(key, { host: new URL(host).host, protocol: 'http', key })
const attempt = (send) => new Promise((resolve) => send((error) => resolve([error].flat().find(Boolean))))

async function insist(send) {
  let error
  for (let attempts = 0; attempts < 3; attempts++) {
    error = await attempt(send)
    if (!error) return
    if (!error.code) break // an answer of the server, and not a broken connection
  }
  errors.push(error)
}

const at = { distinct_id: story.user, time: new Date(story.time) }
const named = (event, $insert_id, properties) => ({ event, properties: { ...at, $insert_id, ...properties } })
await insist((done) => mixpanel.track(story.event, named('', 'one', story.properties).properties, done))
await insist((done) =>
  mixpanel.track_batch([named('visited', 'two', { $os: 'Linux' }), named('left', 'three', {})], done),
)
await insist((done) => mixpanel.import('imported', at.time, named('', 'four', {}).properties, done))
await insist((done) => mixpanel.import_batch([named('imported', 'five', { utm_source: 'mail' })], done))
tell(errors)
