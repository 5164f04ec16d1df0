//! Stopping.

use crate::gateway::{DEADLINE, Gateway, client};
use crate::raw::{Wire, listener};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_hand_is_answered_and_a_new_one_is_not_taken() {
    let (service, address) = listener().await;
    let mut gateway = Gateway::before(address);
    let asking = tokio::spawn(client().get(gateway.url("/api/v1/stats")).send());
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
