//! The ingest service.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use millrace_ingest::app::App;
use millrace_ingest::config::Config;
use millrace_runtime::launch::launch;

fn main() -> ExitCode {
    launch(
        "ingest",
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8082)),
        Config::from_env,
        |config, process| async { App::build(config, process).await?.run().await },
    )
}
