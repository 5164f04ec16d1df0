//! Somebody who wants to hear of alerts.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use actix_web::web::Bytes;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use millrace_testkit::wait;

/// What was posted and taken.
#[derive(Clone, Debug)]
pub(crate) struct Posted {
    pub(crate) path: String,
    pub(crate) signature: String,
    pub(crate) delivery: String,
    pub(crate) body: Bytes,
}

/// Takes what is posted to `/hook`; is busy the first time at `/busy-once` and as often as it says at
/// `/busy-eleven-times`; sends whoever asks for `/redirect` to `/hook`;
/// and has gone from `/gone`.
pub(crate) struct Receiver {
    address: SocketAddr,
    taken: Arc<Mutex<Vec<Posted>>>,
}

/// Whether it is still busy there, this time included.
fn is_busy(times: &Mutex<HashMap<&'static str, u32>>, path: &str) -> bool {
    times.lock().unwrap().get_mut(path).is_some_and(|times| {
        let busy = *times > 0;
        *times = times.saturating_sub(1);
        busy
    })
}

impl Receiver {
    pub(crate) fn start() -> Self {
        let taken = Arc::<Mutex<Vec<Posted>>>::default();
        let patience = HashMap::from([("/busy-once", 1), ("/busy-eleven-times", 11)]);
        let (data, busy) = (Arc::clone(&taken), Arc::new(Mutex::new(patience)));
        let server = HttpServer::new(move || {
            let (taken, busy) = (Arc::clone(&data), Arc::clone(&busy));
            let answer = move |request: HttpRequest, body: Bytes| {
                let (taken, busy) = (Arc::clone(&taken), Arc::clone(&busy));
                async move {
                    match request.path() {
                        "/gone" => HttpResponse::Gone().finish(),
                        "/redirect" => HttpResponse::Found().insert_header(("location", "/hook")).finish(),
                        path if is_busy(&busy, path) => HttpResponse::InternalServerError().finish(),
                        path => {
                            let said =
                                |name| request.headers().get(name).unwrap().to_str().unwrap().to_owned();
                            let (signature, delivery) =
                                (said("millrace-signature"), said("millrace-delivery"));
                            let path = path.to_owned();
                            taken.lock().unwrap().push(Posted { path, signature, delivery, body });
                            HttpResponse::NoContent().finish()
                        }
                    }
                }
            };
            App::new().default_service(web::to(answer))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let address = server.addrs()[0];
        tokio::spawn(server.run());
        Self { address, taken }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What comes next.
    pub(crate) async fn next(&self) -> Posted {
        wait::until_some("something is posted", async || {
            let mut taken = self.taken.lock().unwrap();
            (!taken.is_empty()).then(|| taken.remove(0))
        })
        .await
    }

    pub(crate) fn nothing_more(&self) -> bool {
        self.taken.lock().unwrap().is_empty()
    }
}
