//! The worker service.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use millrace_runtime::launch::launch;
use millrace_worker::app::App;
use millrace_worker::config::Config;

fn main() -> ExitCode {
    launch(
        "worker",
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8083)),
        Config::from_env,
        |config, process| async { App::build(config, process).await?.run().await },
    )
}
