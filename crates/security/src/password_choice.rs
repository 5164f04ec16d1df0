//! Passwords that people choose. What is common, or close to their own name, is guessed first; `zxcvbn` estimates how
//! many guesses a password takes, which rules about letters and digits do not.

use zxcvbn::{Score, zxcvbn};

use crate::password::{Password, PasswordFault};

/// More than 10^8 guesses: safe behind a slow hash and a limit on attempts.
const STRONG: Score = Score::Three;
/// What everybody here would think of first.
const OURS: &str = "millrace";

/// Why a text cannot be a person's password. It does not repeat the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChoiceFault {
    /// No password at all.
    #[error(transparent)]
    Law(#[from] PasswordFault),
    /// It would be guessed. Says why and what would help.
    #[error("is too easy to guess: {0}")]
    Weak(String),
}

/// Takes a password that is not easy to guess for somebody who knows `personal`: an e-mail address, a name. Takes
/// milliseconds for a long one.
///
/// # Errors
/// Says which law it breaks, or how it would be guessed.
pub fn choose(text: &str, personal: &[&str]) -> Result<Password, ChoiceFault> {
    let password = Password::parse(text)?;
    let words = personal.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
    let inputs: Vec<&str> = personal.iter().copied().chain(words).chain([OURS]).collect();
    let estimate = zxcvbn(text, &inputs);
    if estimate.score() >= STRONG {
        return Ok(password);
    }
    let said = estimate.feedback().map(|feedback| {
        let warning = feedback.warning().map(|warning| warning.to_string());
        let suggestions = feedback.suggestions().iter().map(ToString::to_string);
        warning.into_iter().chain(suggestions).collect::<Vec<_>>().join(" ")
    });
    let said = said.filter(|said| !said.is_empty());
    Err(ChoiceFault::Weak(said.unwrap_or_else(|| "Add another word or two.".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const ADA: &[&str] = &["ada.lovelace@example.com", "Ada Lovelace"];

    fn weakness(text: &str) -> String {
        choose(text, ADA).unwrap_err().to_string()
    }

    #[test]
    fn a_few_words_or_many_characters_will_do() {
        for text in ["correct horse battery", "purple otter juggles", "kV8!qz-Tw2", "ünïcödé ist schön"]
        {
            assert_eq!(choose(text, ADA).unwrap().reveal(), text);
        }
    }

    #[test]
    fn what_everybody_uses_is_refused_with_a_reason() {
        assert!(weakness("password").contains("top-10 common password"), "{}", weakness("password"));
        for text in ["password1", "P@ssw0rd", "qwertyuiop", "12345678", "aaaaaaaaaaaa", "iloveyou2"] {
            let said = weakness(text);
            assert!(said.starts_with("is too easy to guess: ") && said.ends_with('.'), "{text}: {said}");
            assert!(!said.contains(text), "{said}");
        }
    }

    #[test]
    fn what_is_known_of_a_person_is_guessed_first() {
        let tamsin = ["tamsin.oyelaran@example.com", "Tamsin Oyelaran"];
        for text in ["TamsinOyelaran", "oyelaran2024"] {
            assert!(choose(text, &[]).is_ok(), "{text} is good for somebody else");
            assert!(choose(text, &tamsin).is_err(), "{text}");
        }
        for text in ["tamsin.oyelaran@example.com", "millrace1"] {
            assert!(choose(text, &tamsin).is_err(), "{text}");
        }
    }

    #[test]
    fn the_law_comes_first() {
        assert_eq!(choose("short", ADA).unwrap_err(), ChoiceFault::Law(PasswordFault::TooShort));
        let long = "p".repeat(73);
        assert_eq!(choose(&long, ADA).unwrap_err(), ChoiceFault::Law(PasswordFault::TooLong(73)));
    }

    #[test]
    fn no_text_takes_long() {
        for text in ["a1".repeat(36), "aA1!".repeat(18), "4dmin".repeat(14), "password ".repeat(8)] {
            let start = Instant::now();
            let _ = choose(&text, ADA);
            assert!(start.elapsed() < Duration::from_secs(2), "{text}: {:?}", start.elapsed());
        }
    }
}
