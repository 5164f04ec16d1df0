//! One token from `main` downwards. Signals cancel it; so does a component that ends before it was asked to.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Why a component stopped.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// Whether SIGHUP stops the process, as it does when the terminal is gone.
static HANGUP_STOPS: AtomicBool = AtomicBool::new(true);

/// From the first call on SIGHUP does not stop the process any more: it is told here.
///
/// # Errors
/// When the process may not install signal handlers.
pub fn hangups() -> std::io::Result<Signal> {
    let hangups = signal(SignalKind::hangup())?;
    HANGUP_STOPS.store(false, Ordering::SeqCst);
    Ok(hangups)
}

/// A token that SIGTERM, SIGINT and SIGHUP cancel; see [`hangups`].
///
/// # Errors
/// When the process may not install signal handlers.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()] {
        let mut arrivals = signal(kind)?;
        let token = token.clone();
        tokio::spawn(async move {
            loop {
                arrivals.recv().await;
                if kind != SignalKind::hangup() || HANGUP_STOPS.load(Ordering::SeqCst) {
                    break;
                }
            }
            tracing::info!(signal = kind.as_raw_value(), "stopping");
            token.cancel();
        });
    }
    Ok(token)
}

/// The parts of a service that run for as long as the service does.
#[derive(Debug)]
pub struct Components {
    shutdown: CancellationToken,
    grace: Duration,
    running: JoinSet<(&'static str, Outcome)>,
}

impl Components {
    /// `grace`: how long the components may take to finish the work in hand once `shutdown` is cancelled.
    #[must_use]
    pub fn new(shutdown: CancellationToken, grace: Duration) -> Self {
        Self { shutdown, grace, running: JoinSet::new() }
    }

    /// Starts a component, which must watch the token it was built with.
    pub fn spawn<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &mut self,
        name: &'static str,
        component: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        self.running.spawn(async move { (name, component.await.map_err(Into::into)) });
    }

    /// Waits until all have ended. The first one that ends on its own takes the others with it.
    ///
    /// # Errors
    /// When a component failed, ended early, or outstayed the grace period: the process must not exit with zero.
    pub async fn run(mut self) -> Result<(), ComponentError> {
        let mut failure = None;
        let deadline = async {
            self.shutdown.cancelled().await;
            tokio::time::sleep(self.grace).await;
        };
        tokio::pin!(deadline);
        loop {
            let ended = tokio::select! {
                ended = self.running.join_next() => ended,
                () = &mut deadline => {
                    self.running.abort_all();
                    return Err(failure.unwrap_or(ComponentError::Outstayed(self.grace)));
                }
            };
            let early = !self.shutdown.is_cancelled();
            let fault = match ended {
                None => break,
                Some(Ok((_, Ok(())))) if !early => None,
                Some(Ok((name, Ok(())))) => Some(ComponentError::EndedEarly(name)),
                Some(Ok((name, Err(source)))) => Some(ComponentError::Failed { name, source }),
                Some(Err(panic)) => Some(ComponentError::Panicked(panic)),
            };
            if let Some(fault) = fault {
                tracing::error!(error = %fault, "a component is gone, stopping the service");
                failure.get_or_insert(fault);
                self.shutdown.cancel();
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Why a service could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// It returned although nobody had asked it to stop.
    #[error("{0} ended early")]
    EndedEarly(&'static str),
    /// It returned an error.
    #[error("{name} failed: {source}")]
    Failed {
        /// The component.
        name: &'static str,
        /// What it said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// It panicked.
    #[error("a component panicked: {0}")]
    Panicked(tokio::task::JoinError),
    /// It did not finish in time.
    #[error("work in hand was not finished within {0:?}")]
    Outstayed(Duration),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn components(token: &CancellationToken) -> Components {
        Components::new(token.clone(), Duration::from_millis(50))
    }

    #[tokio::test]
    async fn a_component_that_ends_early_ends_the_service() {
        let token = CancellationToken::new();
        let mut parts = components(&token);
        let watched = token.clone();
        parts.spawn("patient", async move {
            watched.cancelled().await;
            Ok::<_, std::io::Error>(())
        });
        parts.spawn("hasty", async { Ok::<_, std::io::Error>(()) });
        assert!(matches!(parts.run().await, Err(ComponentError::EndedEarly("hasty"))));
    }

    #[tokio::test]
    async fn asked_to_stop_it_stops_without_an_error() {
        let token = CancellationToken::new();
        let mut parts = components(&token);
        let watched = token.clone();
        parts.spawn("patient", async move {
            watched.cancelled().await;
            Ok::<_, std::io::Error>(())
        });
        token.cancel();
        assert!(parts.run().await.is_ok());
    }

    #[tokio::test]
    async fn the_grace_period_is_an_end() {
        let token = CancellationToken::new();
        let mut parts = components(&token);
        parts.spawn("deaf", std::future::pending::<std::io::Result<()>>());
        token.cancel();
        assert!(matches!(parts.run().await, Err(ComponentError::Outstayed(_))));
    }
}
