import { host, key, story, tell } from './story.mjs'
import { errors, load, pause, window } from './page.mjs'

load('@rudderstack/analytics-js/dist/npm/legacy/bundled/umd/index.js')
const analytics = new (window.rudderanalytics?.RudderAnalytics ?? window.RudderAnalytics)()
analytics.load(key, host, { configUrl: host, polyfillIfRequired: false })
await new Promise((ready) => analytics.ready(ready))
analytics.identify(story.user, story.traits)
analytics.track(story.event, story.properties)
analytics.page('cart')
await pause(1500)
tell(errors)
