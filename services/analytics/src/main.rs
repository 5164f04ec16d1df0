//! The analytics service.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use millrace_analytics::app::App;
use millrace_analytics::config::Config;
use millrace_runtime::launch::launch;

fn main() -> ExitCode {
    launch(
        "analytics",
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8084)),
        Config::from_env,
        |config, process| async { App::build(config, process).await?.run().await },
    )
}
