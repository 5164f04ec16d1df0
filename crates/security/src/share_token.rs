//! What a link carries through which anybody reads a dashboard: `mrs_` and 256 random bits.

use crate::secret_text::opaque_token;

opaque_token! {
    /// A token that opens one dashboard, for reading. Its `Debug` does not tell it; [`ShareToken::reveal`] does.
    ShareToken, "mrs_"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api_key::ApiKey;

    #[test]
    fn a_token_survives_the_way_through_a_link_and_prints_nothing() {
        let token = ShareToken::generate().unwrap();
        assert_eq!(ShareToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
        let key = ApiKey::generate().unwrap();
        assert!(ShareToken::parse(key.reveal()).is_none() && ApiKey::parse(token.reveal()).is_none());
    }
}
