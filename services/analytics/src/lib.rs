//! Exact answers to questions about events.
