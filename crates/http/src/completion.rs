//! A request that was begun is finished, also when its sender hangs up.
//!
//! actix drops a handler whose connection was reset. Between a commit and what has to follow it, that would let a
//! client have its change made and nobody told.

use std::cell::RefCell;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use tracing::Instrument;

use crate::problem::Problem;
use crate::request_id::{self, RequestId};

/// Serves the request in a task of its own, with the request's id and span.
///
/// # Errors
/// Those of the service inside, and 500 when it panics.
pub async fn middleware<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let id = RefCell::new(RequestId::current());
    let served = request_id::CURRENT.scope(id, async move { next.call(request).await });
    let served = actix_web::rt::spawn(served.in_current_span()).await;
    served.map_err(|panic| Problem::internal(&panic))?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_and_read_body, init_service, try_call_service};
    use actix_web::{App, web};
    use tokio::sync::Notify;

    use super::*;

    #[actix_web::test]
    async fn the_work_goes_on_when_nobody_waits_for_it() {
        let (begun, go_on, done) =
            (Arc::new(Notify::new()), Arc::new(Notify::new()), Arc::new(Notify::new()));
        let notes = (begun.clone(), go_on.clone(), done.clone());
        let work = move || {
            let (begun, go_on, done) = notes.clone();
            async move {
                begun.notify_one();
                go_on.notified().await;
                done.notify_one();
                "done"
            }
        };
        let app = App::new().route("/", web::get().to(work)).wrap(from_fn(middleware));
        let app = init_service(app).await;
        tokio::select! {
            _ = try_call_service(&app, TestRequest::get().to_request()) => unreachable!("it waits"),
            () = begun.notified() => {}
        }
        go_on.notify_one();
        tokio::time::timeout(Duration::from_secs(5), done.notified()).await.unwrap();
    }

    #[actix_web::test]
    async fn the_request_keeps_its_id() {
        let name = || async { RequestId::current().map(|id| id.to_string()).unwrap_or_default() };
        let app = App::new()
            .route("/", web::get().to(name))
            .wrap(from_fn(middleware))
            .wrap(from_fn(request_id::middleware));
        let app = init_service(app).await;
        let request = TestRequest::get().insert_header((request_id::HEADER, "checkout-7")).to_request();
        assert_eq!(call_and_read_body(&app, request).await, "checkout-7");
    }
}
