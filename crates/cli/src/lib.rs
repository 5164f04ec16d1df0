//! The millrace command.
