//! The methods that paths have. HEAD is answered wherever GET is, and a path that is there for other methods says which.

use std::collections::BTreeMap;

use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use utoipa::openapi::{OpenApi, PathItem};

/// The methods of each path, as `Allow` has them. A service puts them among its data, for
/// [`nothing_here`](crate::serve::nothing_here) to find.
#[derive(Clone, Debug, Default)]
pub struct Methods(BTreeMap<String, String>);

impl Methods {
    /// Those that a service describes.
    #[must_use]
    pub fn of(document: &OpenApi) -> Self {
        document.paths.paths.iter().map(|(pattern, item)| (pattern.as_str(), allow(item))).collect()
    }

    /// What `Allow` says of a path, by its pattern.
    #[must_use]
    pub fn allowed(&self, pattern: &str) -> Option<&str> {
        self.0.get(without_slash(pattern)).map(String::as_str)
    }
}

impl<'a, A: Into<String>> FromIterator<(&'a str, A)> for Methods {
    fn from_iter<T: IntoIterator<Item = (&'a str, A)>>(paths: T) -> Self {
        let paths = paths.into_iter();
        Self(paths.map(|(pattern, allow)| (without_slash(pattern).to_owned(), allow.into())).collect())
    }
}

/// Some routes are there with and without it.
fn without_slash(pattern: &str) -> &str {
    pattern.strip_suffix('/').unwrap_or(pattern)
}

fn allow(item: &PathItem) -> String {
    let methods = [
        ("GET, HEAD", &item.get),
        ("POST", &item.post),
        ("PUT", &item.put),
        ("PATCH", &item.patch),
        ("DELETE", &item.delete),
        ("OPTIONS", &item.options),
    ];
    let there = methods.into_iter().filter(|(_, operation)| operation.is_some()).map(|(name, _)| name);
    there.collect::<Vec<_>>().join(", ")
}

/// Has HEAD served as GET. Whoever writes the answer to the connection knows what was asked, and leaves the body away, not its
/// length. Inside of what logs and counts requests, which are told what they were.
pub fn head_as_get(request: &mut ServiceRequest) {
    if *request.method() == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
}
