//! The words of insights and dashboards.

use std::collections::BTreeSet;

/// What an insight says in Markdown. At most 20,000 characters, none of them NUL; often none at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Markdown(String);

/// Why a Markdown text was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MarkdownFault {
    /// More than it may hold.
    #[error("must have at most {} characters", Markdown::MAX_CHARS)]
    TooLong,
    /// U+0000, which PostgreSQL cannot store in a text.
    #[error("must not contain the NUL character")]
    Nul,
}

impl Markdown {
    /// The most characters it holds.
    pub const MAX_CHARS: usize = 20_000;

    /// Checks the length and the absence of NUL.
    ///
    /// # Errors
    /// Says which of the two laws the text breaks.
    pub fn parse(text: String) -> Result<Self, MarkdownFault> {
        if text.contains('\0') {
            return Err(MarkdownFault::Nul);
        }
        if text.len() > Self::MAX_CHARS && text.chars().count() > Self::MAX_CHARS {
            return Err(MarkdownFault::TooLong);
        }
        Ok(Self(text))
    }

    /// The text itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Words to find something by. At most 20, each 1 to 50 characters, in lower case, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(BTreeSet<String>);

/// Why tags were refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagsFault {
    /// More of them than there may be.
    #[error("must be at most {}", Tags::MAX)]
    TooMany,
    /// One of them is not a tag.
    #[error("must each have 1 to {max} characters, none of them NUL; {0:?} does not", max = Tags::MAX_CHARS)]
    NotATag(String),
}

impl Tags {
    /// The most tags there may be.
    pub const MAX: usize = 20;
    /// The most characters of one.
    pub const MAX_CHARS: usize = 50;

    /// Trims them, makes them lower case, and checks what is left.
    ///
    /// # Errors
    /// Names the first that cannot be one.
    pub fn parse(texts: &[String]) -> Result<Self, TagsFault> {
        let tag = |text: &String| {
            let tag = text.trim().to_lowercase();
            let sound = (1..=Self::MAX_CHARS).contains(&tag.chars().count()) && !tag.contains('\0');
            if sound { Ok(tag) } else { Err(TagsFault::NotATag(text.clone())) }
        };
        let tags = texts.iter().map(tag).collect::<Result<BTreeSet<_>, _>>()?;
        if tags.len() > Self::MAX { Err(TagsFault::TooMany) } else { Ok(Self(tags)) }
    }

    /// In the order of the alphabet.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_however_they_are_spelt() {
        let tags = Tags::parse(&[" Growth ".to_owned(), "growth".to_owned(), "Été".to_owned()]).unwrap();
        assert_eq!(tags.iter().collect::<Vec<_>>(), ["growth", "été"]);
    }

    #[test]
    fn what_is_no_tag_is_named() {
        for bad in [String::new(), "  ".to_owned(), "x".repeat(51), "a\0".to_owned()] {
            let tags = ["good".to_owned(), bad.clone()];
            assert_eq!(Tags::parse(&tags), Err(TagsFault::NotATag(bad)));
        }
        let many: Vec<String> = (0..21).map(|n| format!("tag {n}")).collect();
        assert_eq!(Tags::parse(&many), Err(TagsFault::TooMany));
    }

    #[test]
    fn a_body_may_be_empty_and_not_endless() {
        assert!(Markdown::parse(String::new()).is_ok());
        assert!(Markdown::parse("é".repeat(20_000)).is_ok());
        assert_eq!(Markdown::parse("é".repeat(20_001)), Err(MarkdownFault::TooLong));
        assert_eq!(Markdown::parse("a\0".to_owned()), Err(MarkdownFault::Nul));
    }
}
