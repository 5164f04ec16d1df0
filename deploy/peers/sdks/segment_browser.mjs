import { host, key, story, tell } from './story.mjs'
import { errors, load, pause, window } from './page.mjs'

load('@segment/analytics-next/dist/umd/index.js')
const to = { apiHost: `${new URL(host).host}/v1`, protocol: 'http' }
const [analytics] = await window.AnalyticsNext.AnalyticsBrowser.load(
  { writeKey: key, cdnURL: host },
  { integrations: { 'Segment.io': to } },
)
await analytics.identify(story.user, story.traits)
await analytics.track(story.event, story.properties)
await analytics.page('cart')
await pause(500)
tell(errors)
