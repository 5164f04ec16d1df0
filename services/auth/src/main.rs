//! The auth service.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use millrace_auth::app::App;
use millrace_auth::config::Config;
use millrace_runtime::launch::launch;

fn main() -> ExitCode {
    launch("auth", SocketAddr::from((Ipv4Addr::LOCALHOST, 8081)), Config::from_env, |config, process| async {
        App::build(config, process).await?.run().await
    })
}
