"""Over plain HTTP the SDK tries nothing again by itself: its users do, with the same $insert_id."""

from time import sleep

from story import host, key, story, tell, time

from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException

urls = {name: f"{host}/{path}" for name, path in
        {"events_url": "track", "people_url": "engage", "import_url": "import", "groups_url": "groups"}.items()}
errors = []


def insist(send):
    for _ in range(20):
        try:
            return send()
        except MixpanelException as error:
            last = error
        if "Mixpanel error" in str(last) and "try again" not in str(last):
            break
        sleep(0.25)
    errors.append(last)


def named(insert_id, **properties):
    return {"time": time.timestamp(), "$insert_id": insert_id, **properties}


client = Mixpanel(key, Consumer(**urls))
user = story["user"]
insist(lambda: client.track(user, story["event"], named("one", **story["properties"])))
insist(lambda: client.import_data(None, user, "imported", time.timestamp(), named("two"), api_secret=key))
insist(lambda: client.people_set(user, story["traits"]))
insist(lambda: client.group_set("company", "acme", {"employees": 7}))
consumer = BufferedConsumer(**urls)
buffering = Mixpanel(key, consumer)
buffering.track(user, "visited", named("three", **{"$os": "Linux"}))
buffering.track(user, "left", named("four"))
insist(consumer.flush)
tell(errors)
