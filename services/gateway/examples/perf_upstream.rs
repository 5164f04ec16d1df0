//! Temporary.
#![allow(clippy::unwrap_used, reason = "x")]
use actix_web::{HttpResponse, web};
fn main() {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        let l = std::net::TcpListener::bind("127.0.0.1:9182").unwrap();
        millrace_http::serve::serve(
            l,
            |s: &mut web::ServiceConfig| {
                s.route(
                    "/api/v1/users",
                    web::get().to(|| async { HttpResponse::Ok().json(serde_json::json!({"status": "ok"})) }),
                )
                .route(
                    "/api/v1/events",
                    web::post().to(|b: web::Bytes| async move {
                        HttpResponse::Accepted().json(serde_json::json!({"n": b.len()}))
                    }),
                )
                .route(
                    "/api/v1/stats/big",
                    web::get().to(|| async { HttpResponse::Ok().body(vec![b'x'; 10 << 20]) }),
                );
            },
            tokio_util::sync::CancellationToken::new(),
            std::time::Duration::from_secs(1),
        )
        .unwrap()
        .await
        .unwrap();
    });
}
