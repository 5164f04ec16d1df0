// `mode` of the input is the wire protocol: v0, with which everybody sends, or v1. `flags`: ask for one, too.
import { PostHog } from 'posthog-node'
import { asked, host, key, story, tell } from './story.mjs'

process.env.POSTHOG_CAPTURE_MODE = asked.mode
const errors = []
const client = new PostHog(key, { host, fetchRetryCount: 1000, fetchRetryDelay: 100, disableGeoip: false })
client.on('error', (error) => errors.push(error))

const at = { distinctId: story.user, timestamp: new Date(story.time) }
client.capture({ ...at, event: story.event, properties: { ...story.properties, $session_id: 'session-1' } })
client.identify({ distinctId: story.user, properties: story.traits })
client.capture({ ...at, event: '$pageview', properties: { $current_url: 'https://example.com/ü' } })
client.groupIdentify({ groupType: 'company', groupKey: 'acme', properties: { employees: 7 } })
client.alias({ distinctId: story.user, alias: 'anon-1' })
if (asked.flags && (await client.isFeatureEnabled('beta', story.user))) errors.push('the flag is on')
await client.shutdown().catch((error) => errors.push(error))
tell(errors)
