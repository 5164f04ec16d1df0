"""`mode` of the input is the wire protocol: v0, with which everybody sends, or v1. `flags`: ask for one, too."""

from story import asked, host, key, story, tell, time

from posthog import Posthog

errors = []
client = Posthog(
    key,
    host=host,
    capture_mode=asked["mode"],
    gzip=asked["mode"] == "v0",
    capture_compression="deflate",
    on_error=lambda error, items: errors.append(error),
)
user = story["user"]
client.capture(
    story["event"], distinct_id=user, timestamp=time, properties={**story["properties"], "$session_id": "session-1"}
)
client.set(distinct_id=user, properties=story["traits"], timestamp=time)
client.capture("$pageview", distinct_id=user, timestamp=time, properties={"$current_url": "https://example.com/ü"})
client.group_identify("company", "acme", {"employees": 7}, distinct_id=user, timestamp=time)
client.alias("anon-1", user, timestamp=time)
if asked["flags"] and client.feature_enabled("beta", user):
    errors.append("the flag is on")
client.shutdown()
tell(errors)
