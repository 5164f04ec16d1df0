"""Publishes events straight to the log, as an internal service may.

    pip install nats-py grpcio-tools
    python producer.py

Reads from standard input, as JSON: `nats_url`, `project_id`, and `events` with the fields of `POST /api/v1/events`.
Prints the sequence that JetStream gave the message: the events are on its disk then.
"""

import asyncio
import datetime
import json
import pathlib
import sys
import time
import uuid

import grpc
import nats

# The schema as it is published. A service would rather compile it once, with protoc.
sys.path.append(str(pathlib.Path(__file__).parents[2] / "crates/messaging/proto"))
schema = grpc.protos("events.proto")


def microseconds(moment: str) -> int:
    since = datetime.datetime.fromisoformat(moment) - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
    return since // datetime.timedelta(microseconds=1)


def batch(project: uuid.UUID, events: list[dict]):
    return schema.EventBatch(
        project_id=project.bytes,
        received_at_us=time.time_ns() // 1000,
        events=[
            schema.Event(
                event_id=uuid.UUID(event["event_id"]).bytes,
                event_type=event["event_type"],
                user_id=event["user_id"],
                occurred_at_us=microseconds(event["occurred_at"]),
                properties=json.dumps(event.get("properties", {})),
            )
            for event in events
        ],
    )


async def main() -> None:
    asked = json.load(sys.stdin)
    project = uuid.UUID(asked["project_id"])
    connection = await nats.connect(asked["nats_url"])
    # Returns once the broker has it on disk. If it raises, publish the same events again: they are stored once.
    acknowledged = await connection.jetstream().publish(
        f"events.v1.{project}", batch(project, asked["events"]).SerializeToString()
    )
    await connection.close()
    print(acknowledged.seq)


if __name__ == "__main__":
    asyncio.run(main())
