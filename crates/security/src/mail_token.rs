//! What a link in a mail carries: `mrm_` and 256 random bits. Who shows it reads mail where it was sent.

use crate::secret_text::opaque_token;

opaque_token! {
    /// A token for one use. Its `Debug` does not tell it; [`MailToken::reveal`] does.
    MailToken, "mrm_"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::refresh_token::RefreshToken;

    #[test]
    fn a_token_survives_the_way_through_a_mail_and_prints_nothing() {
        let token = MailToken::generate().unwrap();
        assert_eq!(MailToken::parse(token.reveal()).unwrap().hash(), token.hash());
        assert_ne!(MailToken::generate().unwrap(), token);
        assert!(!format!("{token:?}").contains(&token.reveal()[4..]));
    }

    #[test]
    fn what_is_something_else_is_none() {
        let other = RefreshToken::generate().unwrap();
        for text in ["", "mrm_", "mrm_short", other.reveal()] {
            assert!(MailToken::parse(text).is_none(), "{text}");
        }
    }
}
