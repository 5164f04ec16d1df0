//! NATS JetStream: streams, publisher, consumer, request and reply.
