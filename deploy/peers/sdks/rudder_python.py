from story import host, key, story, tell, time

import rudderstack.analytics as rudder_analytics

errors = []
rudder_analytics.dataPlaneUrl = host
rudder_analytics.write_key = key
rudder_analytics.on_error = lambda error, items: errors.append(error)
user = story["user"]
rudder_analytics.track(user, story["event"], story["properties"], {"locale": "de-CH"}, timestamp=time)
rudder_analytics.identify(user, story["traits"], timestamp=time, anonymous_id="anon-1")
rudder_analytics.page(user, "Docs", "Home", {"url": "https://example.com/ü"}, timestamp=time)
rudder_analytics.screen(user, "Docs", "Settings", timestamp=time)
rudder_analytics.group(user, "acme", {"employees": 7}, timestamp=time)
rudder_analytics.alias("anon-1", user, timestamp=time)
rudder_analytics.shutdown()
tell(errors)
