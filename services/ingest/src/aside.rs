//! Where the bodies of requests are parsed.

use actix_web::web;
use millrace_http::cores::roam;

use crate::errors::IngestError;

/// Bodies beyond this are parsed off the server's threads: ten thousand events take several milliseconds.
const INLINE_BYTES: usize = 64 * 1024;

/// Parses a body of so many bytes: at once, or where that holds nobody up.
///
/// # Errors
/// What `parse` finds wrong, and when the process stops meanwhile.
pub(crate) async fn parsed<T, E>(
    bytes: usize,
    parse: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, IngestError>
where
    T: Send + 'static,
    E: Into<IngestError> + Send + 'static,
{
    if bytes <= INLINE_BYTES {
        return parse().map_err(Into::into);
    }
    let done = web::block(move || {
        roam();
        parse()
    });
    done.await.map_err(|_stopping| IngestError::Cancelled)?.map_err(Into::into)
}
