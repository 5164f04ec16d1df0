//! Handing a mail to the mail server.

use std::path::Path;
use std::time::Duration;

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error as SmtpError};
use lettre::{Address, AsyncTransport, Message, Tokio1Executor};
use millrace_runtime::launch::Fault;
use url::Host;
use uuid::Uuid;

use crate::mail::letter::{Letter, one_line};
use crate::mail::smtp_url::{Encryption, SmtpUrl};

/// What the server says to credentials that it does not take (RFC 4954, 6): the operator's to mend, not the mail's fault.
const NOT_LET_IN: [u16; 4] = [530, 534, 535, 538];

/// The mail server, and who we are to it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    patience: Duration,
}

/// Why the server did not take a mail.
#[derive(Debug, thiserror::Error)]
pub enum Undelivered {
    /// It may take it later.
    #[error("not now: {0}")]
    Later(String),
    /// It never will.
    #[error("never: {0}")]
    Never(String),
}

impl Relay {
    /// `authorities`: a file with the certificates that vouch for the server, instead of the system's. `patience`: how
    /// long handing over one mail may take.
    ///
    /// # Errors
    /// When the file cannot be read, or the system has no certificates.
    pub fn new(
        url: &SmtpUrl,
        authorities: Option<&Path>,
        from: Mailbox,
        patience: Duration,
    ) -> Result<Self, Fault> {
        let tls = match url.encryption() {
            Encryption::None => Tls::None,
            Encryption::StartTls => Tls::Required(tls(url.host(), authorities)?),
            Encryption::Wrapped => Tls::Wrapper(tls(url.host(), authorities)?),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.reveal())
            .map_err(|error| format!("MILLRACE_SMTP_URL: {error}"))?;
        Ok(Self { transport: builder.tls(tls).timeout(Some(patience)).build(), from, patience })
    }

    /// Hands a mail over to be brought to `address`, where `name` is.
    ///
    /// # Errors
    /// Whether trying again makes sense.
    pub async fn hand_over(
        &self,
        address: &str,
        name: Option<&str>,
        letter: &Letter,
    ) -> Result<(), Undelivered> {
        let to = recipient(address, name).map_err(|error| Undelivered::Never(error.to_string()))?;
        let message = self.message(to, letter).map_err(|error| Undelivered::Never(error.to_string()))?;
        // The transport's own timeout bounds the connecting alone.
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_accepted)) => Ok(()),
            Ok(Err(error)) => Err(undelivered(&error)),
            Err(_elapsed) => Err(Undelivered::Later(format!("no answer in {:?}", self.patience))),
        }
    }

    fn message(&self, to: Mailbox, letter: &Letter) -> Result<Message, lettre::error::Error> {
        let id = format!("<{}@{}>", Uuid::new_v4(), self.from.email.domain());
        // RFC 3834: no absence notice comes back.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(letter.subject)
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .multipart(MultiPart::alternative_plain_html(letter.text.clone(), letter.html.clone()))
    }
}

fn tls(host: &str, authorities: Option<&Path>) -> Result<TlsParameters, Fault> {
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = authorities {
        let shown = path.display();
        let pem = std::fs::read(path).map_err(|error| format!("MILLRACE_SMTP_CA: {shown}: {error}"))?;
        let certificate = Certificate::from_pem(&pem)
            .map_err(|error| format!("MILLRACE_SMTP_CA: {shown} holds no certificates: {error}"))?;
        parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    parameters.build().map_err(|error| format!("TLS with the mail server: {error}").into())
}

/// Host names travel in ASCII. A local part does not if it is not: then the server must speak SMTPUTF8.
fn recipient(address: &str, name: Option<&str>) -> Result<Mailbox, lettre::address::AddressError> {
    let (local, host) = address.rsplit_once('@').ok_or(lettre::address::AddressError::MissingParts)?;
    let host = Host::parse(host).map_or_else(|_unusual| host.to_owned(), |host| host.to_string());
    let name = name.map(one_line).filter(|name| !name.is_empty());
    Ok(Mailbox::new(name, Address::new(local, host)?))
}

fn undelivered(error: &SmtpError) -> Undelivered {
    let mut said = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(deeper) = cause {
        let words = deeper.to_string();
        if !said.contains(&words) {
            said = format!("{said}: {words}");
        }
        cause = deeper.source();
    }
    let code = error.status().map(u16::from);
    let operators = code.is_some_and(|code| NOT_LET_IN.contains(&code));
    if error.is_permanent() && !operators { Undelivered::Never(said) } else { Undelivered::Later(said) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_travels_in_ascii_and_a_name_in_one_line() {
        let to = recipient("ada@münchen.example", Some("Ada\r\nBcc: eve@example.com")).unwrap();
        assert_eq!(to.email.to_string(), "ada@xn--mnchen-3ya.example");
        assert_eq!(to.name.unwrap(), "Ada Bcc: eve@example.com");
        assert_eq!(recipient("admin@localhost", None).unwrap().to_string(), "admin@localhost");
    }

    #[test]
    fn what_is_no_address_for_a_mail_server_is_refused() {
        for address in ["ada", "ada>@example.com", "ada@exa mple.com", "a\r\nb@example.com"] {
            assert!(recipient(address, None).is_err(), "{address:?}");
        }
    }
}
