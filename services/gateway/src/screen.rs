//! What is refused before anybody looks at it: requests that two readers might read differently, and heads that are too
//! large. What is not HTTP at all never comes this far: actix answers 400, and 431 from 128 KiB or 96 headers on.

use actix_web::HttpRequest;
use actix_web::http::{Method, header};
use millrace_http::problem::{Code, Problem};

/// More than browsers and proxies send; less than would let many connections take the memory.
const MAX_HEADER_BYTES: usize = 32 * 1024;
/// As many as actix takes over HTTP/1.
const MAX_HEADERS: usize = 96;

/// Looks at a request's head.
///
/// # Errors
/// Why it goes no further.
pub fn look(request: &HttpRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if bytes > MAX_HEADER_BYTES || headers.len() > MAX_HEADERS {
        let detail = format!("a request may have {MAX_HEADERS} headers with {MAX_HEADER_BYTES} bytes in all");
        return Err(Problem::new(Code::HeadersTooLarge, detail));
    }
    if request.method() == Method::CONNECT || request.method() == Method::TRACE {
        return Err(Problem::new(Code::MethodNotAllowed, format!("{} is not served", request.method())));
    }
    // Over HTTP/1 only a request to a proxy names an authority beside `Host`; over HTTP/2 it is what `Host` was.
    let host = headers.get(header::HOST).map(header::HeaderValue::as_bytes);
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    if let (Some(host), Some(authority)) = (host, authority)
        && !host.eq_ignore_ascii_case(authority)
    {
        return Err(Problem::new(Code::Malformed, "the target and the Host header name different hosts"));
    }
    if climbs(request.path()) {
        return Err(Problem::new(
            Code::Malformed,
            "the path must not have `.` or `..` as a segment, nor NUL",
        ));
    }
    Ok(())
}

/// Whether a reader who decodes the path, once or twice, and resolves its dots would find another one.
fn climbs(path: &str) -> bool {
    if !path.contains(['%', '\\', '.']) {
        return false;
    }
    let mut text = path.to_ascii_lowercase();
    // `%252e` is a dot to whoever decodes twice.
    for _ in 0..2 {
        for (encoded, plain) in [("%25", "%"), ("%2e", "."), ("%2f", "/"), ("%5c", "/"), ("\\", "/")] {
            text = text.replace(encoded, plain);
        }
    }
    text.contains("%00") || text.split('/').any(|segment| segment == "." || segment == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_climbs_is_seen_however_it_is_written() {
        for path in [
            "/a/../b",
            "/a/..",
            "/./a",
            "/a/%2e%2E/b",
            "/a/.%2e/b",
            "/a%2f..%2fb",
            "/a/..%5cb",
            "/a/..\\b",
            "/a/%252e%252e/b",
            "/a/%00",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/", "/a/b.c", "/a/...", "/a/..b/c..", "/a%2Fb", "/a//b", "/a/%25", "/%e2%82%ac"] {
            assert!(!climbs(path), "{path}");
        }
    }
}
