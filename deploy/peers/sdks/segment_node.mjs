import { Analytics } from '@segment/analytics-node'
import { host, key, story, tell } from './story.mjs'

const analytics = new Analytics({ writeKey: key, host })
const errors = []
analytics.on('error', (error) => errors.push(error.reason ?? error.code))

const at = { userId: story.user, timestamp: new Date(story.time) }
analytics.track({ ...at, event: story.event, properties: story.properties, context: { locale: 'de-CH' } })
analytics.identify({ ...at, anonymousId: 'anon-1', traits: story.traits })
analytics.page({ ...at, category: 'Docs', name: 'Home', properties: { url: 'https://example.com/ü' } })
analytics.screen({ ...at, name: 'Settings' })
analytics.group({ ...at, groupId: 'acme', traits: { employees: 7 } })
analytics.alias({ ...at, previousId: 'anon-1' })
analytics.track({ anonymousId: 'anon-2', timestamp: at.timestamp, event: 'visited' })
await analytics.closeAndFlush()
tell(errors)
