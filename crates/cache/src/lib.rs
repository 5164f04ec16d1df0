//! Redis: the duplicate memory.
