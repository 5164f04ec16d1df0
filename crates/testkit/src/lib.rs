//! Dev only: real servers, databases, personas, builders.
