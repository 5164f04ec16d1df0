from story import host, key, story, tell, time

import segment.analytics as analytics

errors = []
analytics.host = host
analytics.write_key = key
analytics.gzip = True
analytics.on_error = lambda error, items: errors.append(error)
user = story["user"]
analytics.track(user, story["event"], story["properties"], {"locale": "de-CH"}, time)
analytics.identify(user, story["traits"], timestamp=time, anonymous_id="anon-1")
analytics.page(user, "Docs", "Home", {"url": "https://example.com/ü"}, timestamp=time)
analytics.screen(user, name="Settings", timestamp=time)
analytics.group(user, "acme", {"employees": 7}, timestamp=time)
analytics.alias("anon-1", user, timestamp=time)
analytics.shutdown()
tell(errors)
