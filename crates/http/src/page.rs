//! Long lists, a page at a time.
//!
//! A cursor holds the key of the last entry of its page, so the next page begins behind it whatever is added or removed
//! meanwhile. Lists are read with one entry more than the page holds, which tells whether there is another page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::problem::Problem;

const DEFAULT_LIMIT: u16 = 50;
const MAX_LIMIT: u16 = 200;

/// The parameters of every list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// How many entries a page holds, 1 to 200; 50 if absent.
    #[param(value_type = Option<u16>, nullable = false, minimum = 1, maximum = 200, default = 50)]
    limit: Option<String>,
    /// The `next_cursor` of the page before.
    #[param(nullable = false)]
    cursor: Option<String>,
}

impl Paging {
    /// The page that is meant.
    ///
    /// # Errors
    /// As [`Page::parse`].
    pub fn page<K: DeserializeOwned>(&self) -> Result<Page<K>, Problem> {
        Page::parse(self.limit.as_deref(), self.cursor.as_deref())
    }
}

/// The parameters of a list that is searched: what is wanted of it, and which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paged<T> {
    /// What is wanted. Its fields are text: a query string has no other values, and what is flattened is not parsed.
    #[serde(flatten)]
    pub wanted: T,
    /// Which page.
    #[serde(flatten)]
    pub paging: Paging,
}

/// A page of a list whose entries are ordered by `K`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// The key that the page comes after; `None` for the first page.
    pub after: Option<K>,
    limit: u16,
}

impl<K> Page<K> {
    /// Reads the two parameters.
    ///
    /// # Errors
    /// 422 for a limit that is not 1 to 200, or a cursor that is not one of this list.
    pub fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, Problem>
    where
        K: DeserializeOwned,
    {
        let limit = match limit.map(|text| (text, text.parse())) {
            None => DEFAULT_LIMIT,
            Some((_, Ok(limit @ 1..=MAX_LIMIT))) => limit,
            Some((text, _)) => {
                let message = format!("limit {text:?} is not a whole number from 1 to {MAX_LIMIT}");
                return Err(Problem::field("limit", "out_of_range", message));
            }
        };
        let key = |cursor: &str| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).ok()?).ok();
        let after = cursor.map(|cursor| key(cursor).ok_or_else(not_a_cursor)).transpose()?;
        Ok(Self { after, limit })
    }

    /// How many entries to look for: one more than the page holds.
    #[must_use]
    pub fn probe(&self) -> u16 {
        self.limit + 1
    }

    /// Takes the entries of this page from those `found`, and says where the next one begins.
    pub fn cut<T>(&self, found: &mut Vec<T>, key: impl Fn(&T) -> K) -> Option<String>
    where
        K: Serialize,
    {
        let limit = usize::from(self.limit);
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more)?;
        Self::cursor(&key(last))
    }

    /// The cursor of the page behind this key. `None` for a key that cannot be written, which no key of ours is.
    #[must_use]
    pub fn cursor(key: &K) -> Option<String>
    where
        K: Serialize,
    {
        Some(URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).ok()?))
    }

    /// How many entries the page holds.
    #[must_use]
    pub fn limit(&self) -> u16 {
        self.limit
    }
}

fn not_a_cursor() -> Problem {
    let message = "cursor is not one that a page of this list named as its next_cursor";
    Problem::field("cursor", "invalid_cursor", message)
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;
    use crate::problem::Code;
    use crate::query;

    fn refused<K: DeserializeOwned + std::fmt::Debug>(limit: Option<&str>, cursor: Option<&str>) -> String {
        let problem = Page::<K>::parse(limit, cursor).unwrap_err();
        assert_eq!((problem.code(), problem.status_code().as_u16()), (Code::Invalid, 422));
        problem.to_string()
    }

    #[test]
    fn a_cursor_continues_where_the_page_ended() {
        let page = Page::<(u8, String)>::parse(Some("2"), None).unwrap();
        assert_eq!(page.probe(), 3);
        let key = |place: u8, text: &str| (place, text.to_owned());
        let mut found = vec![key(1, "a"), key(2, "naïve"), key(3, "z")];
        let next = page.cut(&mut found, Clone::clone).unwrap();
        assert_eq!(found, [key(1, "a"), key(2, "naïve")]);
        assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{next}");
        let next = Page::parse(None, Some(&next)).unwrap();
        assert_eq!((next.after, next.limit), (Some(key(2, "naïve")), 50));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page::<String>::parse(Some("2"), None).unwrap();
        assert_eq!(page.cut(&mut vec!["a".to_owned(), "b".to_owned()], Clone::clone), None);
        assert_eq!(page.cut(&mut Vec::new(), Clone::clone), None);
    }

    #[test]
    fn what_is_wanted_stands_beside_the_page_and_nothing_else_does() {
        #[derive(Debug, Deserialize)]
        struct Wanted {
            colour: Option<String>,
        }
        let Paged::<Wanted> { wanted, paging } = query::parse("limit=7&colour=red").unwrap();
        assert_eq!((wanted.colour.as_deref(), paging.page::<u8>().unwrap().limit()), (Some("red"), 7));
        let refused = query::parse::<Paged<Wanted>>("color=red").unwrap_err();
        assert!(refused.to_string().contains("color"), "{refused}");
    }

    #[test]
    fn limits_and_foreign_cursors_are_refused_by_name() {
        for limit in ["0", "201", "-1", "ten", ""] {
            assert!(refused::<i64>(Some(limit), None).contains("limit"), "{limit}");
        }
        let of_another_list = URL_SAFE_NO_PAD.encode("\"text\"");
        for cursor in ["", "!", "_w", "AA", &of_another_list] {
            assert!(refused::<i64>(None, Some(cursor)).contains("cursor"), "{cursor}");
        }
    }
}
