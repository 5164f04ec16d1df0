//! The part of `main` that is the same in every service.

use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::ExitCode;

use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::config::{ConfigError, Env};
use crate::{health, lifecycle, metrics, scheduling, telemetry};

/// An error nobody above can do anything about but report.
pub type Fault = Box<dyn std::error::Error + Send + Sync>;

/// What a process has one of.
#[derive(Clone, Debug)]
pub struct Process {
    /// Cancelled when the process is asked to stop.
    pub shutdown: CancellationToken,
    /// The metrics, where a recorder is installed.
    pub metrics: Option<PrometheusHandle>,
}

/// Runs a service: telemetry, configuration, the runtime, the service itself, and telemetry's last words.
///
/// With the argument `--healthcheck` it asks the running service whether it is ready instead: at `MILLRACE_PLAIN_BIND`, for
/// a gateway that speaks TLS, or at `MILLRACE_BIND`.
pub fn launch<C, F>(
    service: &'static str,
    default_bind: SocketAddr,
    configure: impl FnOnce(Env) -> Result<C, ConfigError>,
    run: impl FnOnce(C, Process) -> F,
) -> ExitCode
where
    F: Future<Output = Result<(), Fault>>,
{
    if std::env::args().nth(1).as_deref() == Some("--healthcheck") {
        let mut env = Env::from_process();
        let bind =
            env.optional("MILLRACE_PLAIN_BIND").unwrap_or_else(|| env.or("MILLRACE_BIND", default_bind));
        return if health::probe(bind).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    }
    let telemetry = match telemetry::init(service) {
        Ok(telemetry) => telemetry,
        Err(error) => return report(&error),
    };
    // The threads of the runtime are as the one that starts them.
    if let Err(error) = scheduling::finish_before_others() {
        tracing::info!(%error, "threads are scheduled as the system does by itself");
    }
    let outcome = configure(Env::from_process()).map_err(Fault::from).and_then(|config| {
        let recorder = metrics::install()?;
        tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
            let shutdown = lifecycle::shutdown_on_signals()?;
            tokio::spawn(metrics::keep_small(recorder.clone()));
            tracing::info!(service, "starting");
            run(config, Process { shutdown, metrics: Some(recorder) }).await
        })
    });
    if let Err(error) = &outcome {
        tracing::error!(service, %error, "the service cannot go on");
    }
    telemetry.shutdown();
    if outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A listening socket, made before anything slow happens, so that an address in use is the first thing to be said.
///
/// # Errors
/// When the address cannot be used.
pub fn listen(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address)
        .map_err(|error| format!("cannot listen on {address} (MILLRACE_BIND): {error}").into())
}

/// A socket in the file system, in the place of one that an earlier process has left there. What an earlier process has
/// accepted it still answers.
///
/// # Errors
/// When there is something else at `path`, or no room for it.
pub fn listen_beside(path: &Path) -> Result<UnixListener, Fault> {
    let fault = |error| format!("cannot listen on {} (MILLRACE_SOCKET): {error}", path.display());
    if path.symlink_metadata().is_ok_and(|there| there.file_type().is_socket()) {
        std::fs::remove_file(path).map_err(fault)?;
    }
    Ok(UnixListener::bind(path).map_err(fault)?)
}

#[expect(clippy::print_stderr, reason = "there is no log yet to write to")]
fn report(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
