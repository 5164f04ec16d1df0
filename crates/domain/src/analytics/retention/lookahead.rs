//! The periods after a cohort that a retention question looks at.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::analytics::query_error::QueryError;

/// A run of periods that are counted as one: `1-3`, or `5` for a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bracket {
    first: u32,
    last: u32,
}

impl Bracket {
    /// The last period that can be asked for.
    pub const MAX: u32 = 366;

    /// Its first period, at least 1.
    #[must_use]
    pub fn first(self) -> u32 {
        self.first
    }

    /// Its last period, at least the first.
    #[must_use]
    pub fn last(self) -> u32 {
        self.last
    }

    fn parse(text: &str) -> Result<Self, QueryError> {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (first.trim().parse(), last.trim().parse()) {
            (Ok(first), Ok(last)) if 1 <= first && first <= last && last <= Self::MAX => {
                Ok(Self { first, last })
            }
            _ => Err(QueryError::NotABracket { value: text.to_owned() }),
        }
    }
}

impl fmt::Display for Bracket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            write!(f, "{}", self.first)
        } else {
            write!(f, "{}-{}", self.first, self.last)
        }
    }
}

impl From<Bracket> for String {
    fn from(bracket: Bracket) -> Self {
        bracket.to_string()
    }
}

impl TryFrom<String> for Bracket {
    type Error = QueryError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

/// Either each of the first so many periods, or brackets of them. Never empty; ascending and without overlap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Lookahead {
    brackets: Vec<Bracket>,
    custom: bool,
}

impl Lookahead {
    /// The periods 1 to `count`, each by itself.
    ///
    /// # Errors
    /// When `count` is not between 1 and [`Bracket::MAX`].
    pub fn periods(count: u32) -> Result<Self, QueryError> {
        if (1..=Bracket::MAX).contains(&count) {
            Ok(Self::first(count))
        } else {
            Err(QueryError::NotACount {
                field: "periods",
                value: count.to_string(),
                min: 1,
                max: Bracket::MAX,
            })
        }
    }

    /// Brackets such as `1-3,4-7,14`, which may leave periods out.
    ///
    /// # Errors
    /// Quotes the bracket that is malformed, or does not come after the one before it.
    pub fn brackets(text: &str) -> Result<Self, QueryError> {
        let mut brackets: Vec<Bracket> = Vec::new();
        for part in text.split(',') {
            let bracket = Bracket::parse(part.trim())?;
            if let Some(before) = brackets.last().filter(|before| bracket.first <= before.last) {
                return Err(QueryError::BracketOrder {
                    before: before.to_string(),
                    value: bracket.to_string(),
                });
            }
            brackets.push(bracket);
        }
        Ok(Self { brackets, custom: true })
    }

    /// In order; a period asked for by itself is a bracket of one.
    #[must_use]
    pub fn as_slice(&self) -> &[Bracket] {
        &self.brackets
    }

    /// Whether brackets were asked for rather than a number of periods.
    #[must_use]
    pub fn is_custom(&self) -> bool {
        self.custom
    }

    /// The last period looked at.
    #[must_use]
    pub fn last(&self) -> u32 {
        self.brackets.last().map_or(0, |bracket| bracket.last)
    }

    fn first(count: u32) -> Self {
        Self {
            brackets: (1..=count).map(|period| Bracket { first: period, last: period }).collect(),
            custom: false,
        }
    }
}

impl Default for Lookahead {
    fn default() -> Self {
        Self::first(7)
    }
}

impl fmt::Display for Lookahead {
    /// As the parameter `brackets` spells it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let brackets: Vec<String> = self.brackets.iter().map(Bracket::to_string).collect();
        f.write_str(&brackets.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> &'static str {
        Lookahead::brackets(text).unwrap_err().code()
    }

    #[test]
    fn brackets_are_read_and_written_alike() {
        assert_eq!(Lookahead::brackets("1-3, 4-7,14").unwrap().to_string(), "1-3,4-7,14");
    }

    #[test]
    fn brackets_ascend_without_overlap() {
        assert_eq!(code("1-3,3-7"), "invalid_brackets");
        assert_eq!(code("4-7,1-3"), "invalid_brackets");
    }

    #[test]
    fn malformed_brackets_are_quoted() {
        for text in ["", "0-2", "3-1", "1-367", "a", "1-", "1-3,", "1-2-3", "-1"] {
            assert_eq!(code(text), "invalid_brackets", "{text}");
        }
        let error = Lookahead::brackets("1-3,9-4").unwrap_err().to_string();
        assert!(error.contains("\"9-4\""), "{error}");
    }

    #[test]
    fn periods_have_limits() {
        assert_eq!(Lookahead::periods(0).unwrap_err().field(), "periods");
        assert_eq!(Lookahead::periods(367).unwrap_err().field(), "periods");
        assert_eq!(Lookahead::periods(366).unwrap().last(), 366);
    }
}
