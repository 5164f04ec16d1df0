from story import host, key, story, tell, time

from rudderstack.analytics.client import Client

errors = []
client = Client(key, host=host, gzip=True, on_error=lambda error, items: errors.append(error))
user = story["user"]
client.track(user, story["event"], story["properties"], {"locale": "de-CH"}, timestamp=time)
client.identify(user, story["traits"], timestamp=time, anonymous_id="anon-1")
client.page(user, "Docs", "Home", {"url": "https://example.com/ü"}, timestamp=time)
client.screen(user, "Docs", "Settings", timestamp=time)
client.group(user, "acme", {"employees": 7}, timestamp=time)
client.alias("anon-1", user, timestamp=time)
client.flush()
client.join()
tell(errors)
