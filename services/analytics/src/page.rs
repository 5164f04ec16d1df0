//! Long lists, a page at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use millrace_domain::analytics::query_error::QueryError;

use crate::errors::AnalyticsError;

/// A page of a list that is ordered by a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The text that the page comes after; empty for the first page.
    pub after: String,
    /// The most entries.
    pub limit: u16,
}

impl Page {
    const DEFAULT_LIMIT: u16 = 50;
    const MAX_LIMIT: u16 = 200;

    /// Reads the two parameters.
    ///
    /// # Errors
    /// A limit that is not 1 to 200, a cursor that is none of ours.
    pub fn parse(limit: Option<&str>, cursor: Option<&str>) -> Result<Self, AnalyticsError> {
        let limit = match limit.map(|text| (text, text.parse())) {
            None => Self::DEFAULT_LIMIT,
            Some((_, Ok(limit @ 1..=Self::MAX_LIMIT))) => limit,
            Some((text, _)) => {
                let (value, max) = (format!("{text:?}"), Self::MAX_LIMIT.into());
                return Err(QueryError::NotACount { field: "limit", value, min: 1, max }.into());
            }
        };
        let after = cursor.map_or(Some(String::new()), |cursor| {
            String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok().filter(|text| !text.contains('\0'))
        });
        Ok(Self { after: after.ok_or(AnalyticsError::NotACursor)?, limit })
    }

    /// Takes the entries of this page from `found`, in which there may be one more to tell whether there is a next
    /// page, and says where that one begins.
    pub fn cut<T>(&self, found: &mut Vec<T>, text: impl Fn(&T) -> &str) -> Option<String> {
        let limit = usize::from(self.limit);
        let more = found.len() > limit;
        found.truncate(limit);
        found.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(text(last)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_continues_where_the_page_ended() {
        let page = Page::parse(Some("2"), None).unwrap();
        let mut found = vec!["a", "naïve", "z"];
        let next = page.cut(&mut found, |text| text).unwrap();
        assert_eq!(found, ["a", "naïve"]);
        assert_eq!(Page::parse(None, Some(&next)).unwrap(), Page { after: "naïve".to_owned(), limit: 50 });
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = Page::parse(Some("2"), None).unwrap();
        assert_eq!(page.cut(&mut vec!["a", "b"], |text| text), None);
        assert_eq!(page.cut(&mut Vec::<&str>::new(), |text| text), None);
    }

    #[test]
    fn limits_and_foreign_cursors_are_refused() {
        for limit in ["0", "201", "-1", "ten", ""] {
            assert!(matches!(Page::parse(Some(limit), None), Err(AnalyticsError::Refused(_))), "{limit}");
        }
        for cursor in ["!", "_w", "AA"] {
            assert!(matches!(Page::parse(None, Some(cursor)), Err(AnalyticsError::NotACursor)), "{cursor}");
        }
    }
}
