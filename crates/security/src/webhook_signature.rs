//! How a receiver knows that a webhook is ours: HMAC-SHA256 over the time and the body, by a secret that both have.

use aws_lc_rs::hmac;

use crate::hex;
use crate::secret_text::opaque_token;

opaque_token! {
    /// What the deliveries of one alert are signed with. Its `Debug` does not tell it; [`WebhookSecret::reveal`] does.
    WebhookSecret, "mrw_"
}

impl WebhookSecret {
    /// The signature of `body` at `time` (seconds of the Unix epoch): `t=<time>,v1=<hex of the HMAC of "<time>.<body>">`.
    /// The time is signed too, so that a receiver can refuse what was sent long ago.
    #[must_use]
    pub fn sign(&self, time: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.reveal().as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(format!("{time}.").as_bytes());
        context.update(body);
        format!("t={time},v1={}", hex::encode(context.sign().as_ref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_and_body_are_signed() {
        let secret = WebhookSecret::generate().unwrap();
        let signed = secret.sign(1_763_640_000, b"{}");
        assert!(signed.starts_with("t=1763640000,v1=") && signed.len() == 16 + 64, "{signed}");
        assert_eq!(signed, secret.sign(1_763_640_000, b"{}"));
        let others = [
            secret.sign(1_763_640_001, b"{}"),
            secret.sign(1_763_640_000, b"{ }"),
            WebhookSecret::generate().unwrap().sign(1_763_640_000, b"{}"),
        ];
        assert!(others.iter().all(|other| other[16..] != signed[16..]));
    }
}
