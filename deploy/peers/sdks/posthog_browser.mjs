import { host, key, story, tell } from './story.mjs'
import { errors, load, pause, window } from './page.mjs'

load('posthog-js/dist/array.full.js')
window.posthog.init(key, { api_host: host, autocapture: false, request_batching: false, persistence: 'memory' })
await pause(1000)
window.posthog.identify(story.user, story.traits)
window.posthog.capture(story.event, story.properties)
await pause(1500)
if (window.posthog.isFeatureEnabled('beta')) errors.push('the flag is on')
tell(errors)
