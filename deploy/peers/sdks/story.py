"""What every script tells: where to send and with which key comes as JSON on its input, what to send is in story.json."""

import datetime
import json
import pathlib
import sys

asked = json.load(sys.stdin)
host, key = asked["host"], asked["key"]
story = json.loads(pathlib.Path(__file__).with_name("story.json").read_text(encoding="utf-8"))
time = datetime.datetime.fromisoformat(story["time"].replace("Z", "+00:00"))


def tell(errors):
    """What the SDK believes in the end: the errors it reported."""
    print(json.dumps({"errors": [str(error) for error in errors]}))
