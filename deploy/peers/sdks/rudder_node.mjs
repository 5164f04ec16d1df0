import RudderAnalytics from '@rudderstack/rudder-sdk-node'
import { host, key, story, tell } from './story.mjs'

const errors = []
const client = new RudderAnalytics(key, { dataPlaneUrl: host, errorHandler: (error) => errors.push(error) })

const at = { userId: story.user, originalTimestamp: new Date(story.time) }
const sent = (error) => error && errors.push(error)
client.track({ ...at, event: story.event, properties: story.properties, context: { sessionId: 1762000000 } }, sent)
client.identify({ ...at, anonymousId: 'anon-1', traits: story.traits }, sent)
client.page({ ...at, name: 'Home', properties: { url: 'https://example.com/ü' } }, sent)
client.screen({ ...at, name: 'Settings' }, sent)
client.group({ ...at, groupId: 'acme', traits: { employees: 7 } }, sent)
client.alias({ ...at, previousId: 'anon-1' }, sent)
await client.flush().catch((error) => errors.push(error))
tell(errors)
