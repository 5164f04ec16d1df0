//! The services as their operators run them: processes of their own, with the real servers behind them.

mod bombs;
mod restart;
mod service;
