import { host, key, story, tell } from './story.mjs'
import { errors, load, pause, window } from './page.mjs'

load('mixpanel-browser/dist/mixpanel.umd.js')
const { mixpanel } = window
mixpanel.init(key, { api_host: host, batch_requests: false, persistence: 'localStorage' })
mixpanel.identify(story.user)
mixpanel.people.set(story.traits)
mixpanel.get_group('company', 'acme').set({ employees: 7 })
await new Promise((answered) => {
  mixpanel.track(story.event, story.properties, (answer) => {
    if (answer !== 1) errors.push(`answered ${JSON.stringify(answer)}`)
    answered()
  })
})
await pause(500)
tell(errors)
