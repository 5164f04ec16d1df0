//! Being asked to stop.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// The exit code of a command that was interrupted.
pub(crate) const INTERRUPTED: u8 = 130;

/// A token that is cancelled by Ctrl-C or SIGTERM. Whoever asks a second time does not want to wait
/// for work in hand: the process ends at once.
pub(crate) fn interruption() -> std::io::Result<CancellationToken> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let token = CancellationToken::new();
    let asked = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if asked.is_cancelled() {
                std::process::exit(i32::from(INTERRUPTED));
            }
            asked.cancel();
        }
    });
    Ok(token)
}
