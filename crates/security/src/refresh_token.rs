//! Refresh tokens: `mrr_` and 256 random bits, good for seven days and one use.

use std::time::Duration;

use crate::secret_text::opaque_token;

/// How long a token is good.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

opaque_token! {
    /// A refresh token. Its `Debug` does not tell it; [`RefreshToken::reveal`] does.
    RefreshToken, "mrr_"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::ApiKey;

    #[test]
    fn a_token_survives_the_way_through_text() {
        let token = RefreshToken::generate().unwrap();
        assert_eq!(RefreshToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert_ne!(RefreshToken::generate().unwrap().hash(), token.hash());
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }

    #[test]
    fn keys_and_tokens_are_not_taken_for_each_other() {
        let (key, token) = (ApiKey::generate().unwrap(), RefreshToken::generate().unwrap());
        assert!(RefreshToken::parse(key.reveal()).is_none() && ApiKey::parse(token.reveal()).is_none());
        for text in ["", "mrr_", "mrr_short", "eyJ.a.b"] {
            assert!(RefreshToken::parse(text).is_none(), "{text}");
        }
    }
}
