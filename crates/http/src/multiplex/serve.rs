//! The service's side of a shared connection: the routes of [`crate::serve`] answer its requests.

use std::io;
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_http::{Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, Service, ServiceFactory, fn_factory, fn_service, map_config};
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::AppConfig;
use actix_web::rt;
use actix_web::rt::net::UnixStream;
use actix_web::web::ServiceConfig;
use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::exchange::{Debt, request};
use super::frame::{self, NotAFrame};
use super::greeting;
use super::outbox::Outbox;
use crate::cores;
use crate::problem::Code;
use crate::serve::{app, stop_when_cancelled};

/// Requests of one connection that are answered at the same time. The rest waits in the connection, and then at its other
/// end.
const MOST_IN_HAND: usize = 1024;
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// Starts to serve `routes` to neighbours whose requests share connections: until `shutdown`, and then lets requests in
/// hand finish for at most `grace`.
///
/// It has threads of its own: connections are handed out to threads in turn, and these few must not count as some among
/// those over HTTP/1.1, or one thread would get all of them.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<R>(
    listener: UnixListener,
    routes: R,
    shutdown: CancellationToken,
    grace: Duration,
) -> io::Result<Server>
where
    R: Fn(&mut ServiceConfig) + Clone + Send + 'static,
{
    let stopping = shutdown.clone();
    let connections = move || {
        let (routes, stopping) = (routes.clone(), stopping.clone());
        fn_factory(move || {
            let stopping = stopping.clone();
            let app = map_config(app(&routes).into_factory(), |()| AppConfig::default()).new_service(());
            async move {
                let app = Rc::new(app.await?);
                Ok::<_, ()>(fn_service(move |stream: UnixStream| {
                    let (app, stopping) = (Rc::clone(&app), stopping.clone());
                    async move {
                        answer_all(stream, app, stopping).await;
                        Ok::<_, ()>(())
                    }
                }))
            }
        })
    };
    let server = Server::build()
        .listen_uds("multiplexed", listener, connections)?
        .shutdown_timeout(grace.as_secs())
        .disable_signals()
        .run();
    stop_when_cancelled(&server, shutdown);
    Ok(server)
}

/// Answers the requests of a connection until the other side ends it. With `stopping` it is told that no more are taken, but
/// what it has sent before it knew is answered like the rest.
async fn answer_all<S, B>(stream: UnixStream, app: Rc<S>, stopping: CancellationToken)
where
    S: Service<Request> + 'static,
    S::Error: Into<Response<BoxBody>> + 'static,
    S::Response: Into<Response<B>> + 'static,
    B: MessageBody + 'static,
{
    let (mut reader, writer) = stream.into_split();
    let outbox = Rc::new(Outbox::default());
    let _: Result<_, NotAFrame> = outbox.put(|to| {
        greeting::put(to, cores::own());
        Ok(())
    });
    let written = Rc::clone(&outbox);
    let writer = rt::spawn(async move { written.write_to(writer).await });
    let in_hand = Arc::new(Semaphore::new(MOST_IN_HAND));
    let mut read = BytesMut::with_capacity(PIECE);
    let mut leaving = false;
    let ended = loop {
        match frame::next(&mut read) {
            Err(NotAFrame) => break Err(io::Error::new(io::ErrorKind::InvalidData, NotAFrame)),
            Ok(Some((number, message))) => {
                // Never closed: there is always a permit in the end.
                let place = Arc::clone(&in_hand).acquire_owned().await;
                let (app, mut debt) = (Rc::clone(&app), Debt::new(number, Rc::clone(&outbox)));
                rt::spawn(async move {
                    match request(message) {
                        Ok(request) => debt.settle(app.call(request).await).await,
                        // Its sender's fault, of which the others on this connection know nothing.
                        Err(NotAFrame) => debt.refuse(Code::Malformed, "the request cannot be read"),
                    }
                    drop(place);
                });
                continue;
            }
            Ok(None) => {}
        }
        read.reserve(PIECE);
        tokio::select! {
            biased;
            got = reader.read_buf(&mut read) => match got {
                Ok(0) => break Ok(()),
                Ok(_) => {}
                Err(error) => break Err(error),
            },
            () = stopping.cancelled(), if !leaving => {
                leaving = true;
                let _: Result<_, NotAFrame> = outbox.put(|to| {
                    frame::put_leave(to);
                    Ok(())
                });
            }
        }
    };
    if let Err(error) = ended {
        tracing::warn!(%error, "a shared connection of the gateway broke");
    }
    // All of them: whoever asked may have gone, but what was asked is done.
    let _all = in_hand.acquire_many(u32::try_from(MOST_IN_HAND).unwrap_or(u32::MAX)).await;
    outbox.close();
    if let Ok(Err(error)) = writer.await {
        tracing::debug!(%error, "answers were not taken");
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpResponse, web};
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::multiplex::frame::{Answer, LEAVING};

    /// The gateway's end of a connection that has been greeted, and the word to stop.
    async fn connected() -> (UnixStream, CancellationToken) {
        let (mut here, there) = UnixStream::pair().unwrap();
        let stopping = CancellationToken::new();
        let app = App::new()
            .route(
                "/late",
                web::to(async || {
                    rt::task::yield_now().await;
                    HttpResponse::Ok().body("late")
                }),
            )
            .default_service(web::to(async |body: web::Bytes| HttpResponse::NotFound().body(body)));
        let app = map_config(app.into_factory(), |()| AppConfig::default()).new_service(());
        let app = Rc::new(app.await.unwrap());
        rt::spawn(answer_all(there, app, stopping.clone()));
        assert_eq!(greeting::read(&mut here).await.unwrap(), cores::own());
        (here, stopping)
    }

    fn asked(to: &mut BytesMut, number: u32, target: &str, body: &str) {
        frame::put_request(to, number, ("POST", target), [].into_iter(), body.as_bytes()).unwrap();
    }

    /// All that comes until the other side ends the connection: numbers, and status and body of answers.
    async fn all(mut here: UnixStream) -> Vec<(u32, u16, String)> {
        let (mut read, mut came) = (BytesMut::new(), Vec::new());
        while here.read_buf(&mut read).await.unwrap() > 0 {}
        while let Some((number, message)) = frame::next(&mut read).unwrap() {
            let answer = if number == LEAVING { None } else { Some(Answer::try_from(message).unwrap()) };
            let body = |answer: Answer| (answer.status, String::from_utf8(answer.body.to_vec()).unwrap());
            let (status, body) = answer.map(body).unwrap_or_default();
            came.push((number, status, body));
        }
        assert!(read.is_empty());
        came
    }

    #[actix_web::test]
    async fn answers_come_when_they_are_there_and_nothing_is_left_when_the_gateway_goes() {
        let (mut here, _running) = connected().await;
        let mut sent = BytesMut::new();
        asked(&mut sent, 7, "/late", "");
        asked(&mut sent, 9, "/else?a=b", "as it came");
        here.write_all(&sent).await.unwrap();
        here.shutdown().await.unwrap();
        let came = all(here).await;
        assert_eq!(came, [(9, 404, "as it came".to_owned()), (7, 200, "late".to_owned())]);
    }

    #[actix_web::test]
    async fn once_it_stops_it_says_so_and_answers_what_was_sent_before_the_gateway_knew() {
        let (mut here, stopping) = connected().await;
        stopping.cancel();
        let mut leave = [0; 8];
        here.read_exact(&mut leave).await.unwrap();
        assert_eq!(leave, [0, 0, 0, 4, 0, 0, 0, 0]);
        let mut sent = BytesMut::new();
        asked(&mut sent, 1, "/late", "");
        here.write_all(&sent).await.unwrap();
        here.shutdown().await.unwrap();
        assert_eq!(all(here).await, [(1, 200, "late".to_owned())]);
    }

    #[actix_web::test]
    async fn what_is_not_a_frame_ends_the_connection() {
        let (mut here, _running) = connected().await;
        here.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(all(here).await, []);
    }

    #[actix_web::test]
    async fn a_request_that_cannot_be_read_is_refused_and_the_next_one_answered() {
        let (mut here, _running) = connected().await;
        let mut sent = BytesMut::from(&[0, 0, 0, 5, 0, 0, 0, 1, 200][..]);
        asked(&mut sent, 2, "not a target", "");
        asked(&mut sent, 3, "/else", "sound");
        here.write_all(&sent).await.unwrap();
        here.shutdown().await.unwrap();
        let came: Vec<_> = all(here).await.into_iter().map(|(number, status, _)| (number, status)).collect();
        assert_eq!(came, [(1, 400), (2, 400), (3, 404)]);
    }
}
