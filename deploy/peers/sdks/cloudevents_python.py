"""The SDK makes messages and leaves it to an HTTP client to send them: what it does not do is tried again here."""

import json

import requests
from story import host, key, story, tell, time

from cloudevents.core.bindings.http import to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent

errors = []


def send(headers, body):
    headers = {**headers, "Authorization": f"Bearer {key}"}
    for attempt in range(3):
        try:
            answer = requests.post(f"{host}/api/v1/cloudevents", data=body, headers=headers, timeout=15)
            if answer.status_code != 202:
                errors.append(f"{answer.status_code} {answer.text}")
            return
        except requests.ConnectionError as error:
            last = error
    errors.append(last)


def event(id, **more):
    attributes = {"id": id, "source": "/shop/ü", "type": story["event"], "subject": story["user"], "time": time}
    return CloudEvent(attributes={**attributes, **more}, data=story["properties"])


binary = to_binary_event(event("binary", locale="de-CH"))
send(binary.headers, binary.body)
structured = to_structured_event(event("structured", type="structured"))
send(structured.headers, structured.body)
batch = [json.loads(to_structured_event(event(id, type="batched", userid=id)).body) for id in ("one", "two")]
send({"Content-Type": "application/cloudevents-batch+json"}, json.dumps(batch))
tell(errors)
