//! Stopping.

use reqwest::{RequestBuilder, Version};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::gateway::{DEADLINE, Gateway, client, settings};
use crate::raw::{Wire, listener};
use crate::tls::Authority;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_hand_is_answered_and_a_new_one_is_not_taken() {
    let (service, address) = listener().await;
    let gateway = Gateway::before(address);
    let question = client().get(gateway.url("/api/v1/stats"));
    stop_while_asked(gateway, service, question).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_is_one_over_http_2() {
    let (service, address) = listener().await;
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let mut settings = settings(address);
    settings.tls = Some(authority.sign_into(folder.path()));
    let gateway = Gateway::with(settings);
    let url = format!("https://localhost:{}/api/v1/stats", gateway.address.port());
    let question = authority.client().build().unwrap().get(url).version(Version::HTTP_2);
    stop_while_asked(gateway, service, question).await;
}

async fn stop_while_asked(mut gateway: Gateway, service: TcpListener, question: RequestBuilder) {
    let asking = tokio::spawn(question.send());
    let mut slow = Wire::accepted(&service).await;
    slow.read_head().await;
    gateway.stop();
    let refused = async {
        let mut tick = tokio::time::interval(std::time::Duration::from_millis(10));
        while tokio::net::TcpStream::connect(gateway.address).await.is_ok() {
            tick.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, refused).await.expect("it stops accepting");
    slow.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone").await;
    assert_eq!(asking.await.unwrap().unwrap().text().await.unwrap(), "done");
    gateway.ended().await.unwrap();
}
