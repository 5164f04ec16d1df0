//! Events in, durable before they are accepted.
