//! The gateway.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use millrace_gateway::app::App;
use millrace_gateway::config::Config;
use millrace_runtime::launch::launch;

/// A request takes and gives back a few dozen pieces of memory, some of them large: with the C library's
/// allocator a fifth of its time outside the kernel.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    launch(
        "gateway",
        SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
        Config::from_env,
        |config, process| async { App::build(config, process)?.run().await },
    )
}
