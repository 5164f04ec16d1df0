//! What mails say.
//!
//! The link carries its token behind a `#`, which browsers keep to themselves: it is in no access log. For whoever has
//! no browser at hand, the text has the call that the link stands for.

use std::fmt::Write;

use millrace_security::mail_token::MailToken;
use millrace_storage::alerts::history::{EventKind, News};

/// A mail, without its address.
#[derive(Clone, Debug)]
pub struct Letter {
    /// ASCII, so that it needs no encoding.
    pub subject: &'static str,
    /// For everybody.
    pub text: String,
    /// The same, for those who like it better.
    pub html: String,
}

/// What somebody is asked to do.
struct Request<'a> {
    subject: &'static str,
    /// What happened.
    because: String,
    /// What the link does.
    link_text: &'static str,
    /// The page that the link leads to.
    page: &'static str,
    /// The call that the page makes, and the fields of its body besides the token.
    call: &'static str,
    fields: &'static str,
    /// How long there is time, and what to do for whoever has not asked for it.
    otherwise: &'a str,
}

/// For somebody who forgot a password. `name`: only of an account whose address is proved; anybody can make an account
/// for another's address, and must not choose the words of the mail that comes there.
#[must_use]
pub fn reset(base: &str, token: &MailToken, name: Option<&str>) -> Letter {
    let request = Request {
        subject: "Reset your Millrace password",
        because: format!("Somebody, probably you, asked to reset the password of your account at {base}."),
        link_text: "Choose another password",
        page: "/reset-password",
        call: "/api/v1/auth/password/reset",
        fields: r#","password":"your new password""#,
        otherwise: "The link works once, for an hour. Your other devices are signed out by it. \
                    If it was not you, do nothing: your password stays what it is.",
    };
    request.letter(base, token, name)
}

/// For somebody with a new account.
#[must_use]
pub fn verify(base: &str, token: &MailToken) -> Letter {
    let request = Request {
        subject: "Verify your e-mail address for Millrace",
        because: format!("Somebody, probably you, made an account with this address at {base}."),
        link_text: "Verify this address",
        page: "/verify-email",
        call: "/api/v1/auth/email/verify",
        fields: "",
        otherwise: "The link works once, for a day. \
                    If it was not you, do nothing: without the link nobody can say that the address is theirs.",
    };
    request.letter(base, token, None)
}

/// For somebody who wants an account to have this address.
#[must_use]
pub fn change(base: &str, token: &MailToken) -> Letter {
    let request = Request {
        subject: "Confirm your new e-mail address for Millrace",
        because: format!("Somebody, probably you, wants their account at {base} to have this address."),
        link_text: "Use this address",
        page: "/verify-email",
        call: "/api/v1/auth/email/verify",
        fields: "",
        otherwise: "The link works once, for a day. If it was not you, do nothing: nothing changes without the link.",
    };
    request.letter(base, token, None)
}

/// For the old address of an account that has `new` now.
#[must_use]
pub fn changed(base: &str, new: &str, name: Option<&str>) -> Letter {
    let greeting = greeting(name);
    let news = format!("Your account at {base} has another e-mail address now: {}.", one_line(new));
    let otherwise =
        "If it was not you, somebody knows your password: turn to whoever runs this installation.";
    Letter {
        subject: "Your Millrace account has another e-mail address",
        text: format!("{greeting}\n\n{news}\n\n{otherwise}\n"),
        html: page(&[&greeting, &news, otherwise].map(|text| paragraph(&escaped(text))).concat()),
    }
}

/// For somebody whose alert has fired or is over.
#[must_use]
pub fn alert(base: &str, news: &News, name: Option<&str>) -> Letter {
    let greeting = greeting(name);
    let number =
        |number: Option<f64>| number.map_or_else(|| "nothing".to_owned(), |number| number.to_string());
    let (title, read) = (one_line(&news.alert_name), number(news.reading.number));
    let (subject, happened) = match news.kind {
        EventKind::Fired => ("A Millrace alert has fired", "has fired"),
        EventKind::Resolved => ("A Millrace alert is over", "is over"),
    };
    let told = format!(
        "Your alert \u{201c}{title}\u{201d} {happened}: it read {read}, and {before} before.",
        before = number(news.reading.previous)
    );
    let rest = format!(
        "That was at {} (UTC). Alerts are changed at {base}.",
        news.occurred_at.format("%Y-%m-%d %H:%M")
    );
    Letter {
        subject,
        text: format!("{greeting}\n\n{told}\n\n{rest}\n"),
        html: page(&[&greeting, &told, &rest].map(|text| paragraph(&escaped(text))).concat()),
    }
}

impl Request<'_> {
    fn letter(&self, base: &str, token: &MailToken, name: Option<&str>) -> Letter {
        let Self { subject, because, link_text, page: path, call, fields, otherwise } = self;
        let (greeting, token) = (greeting(name), token.reveal());
        let link = format!("{base}{path}#token={token}");
        let curl = format!(
            "curl -X POST '{base}{call}' -H 'Content-Type: application/json' -d '{{\"token\":\"{token}\"{fields}}}'"
        );
        let text = format!(
            "{greeting}\n\n{because}\n\n{link_text}:\n\n{link}\n\n{otherwise}\n\n\
             Without a browser:\n\n{curl}\n"
        );
        let (because, otherwise) = (paragraph(&escaped(because)), paragraph(&escaped(otherwise)));
        let anchor = paragraph(&format!("<a href=\"{}\">{link_text}</a>", escaped(&link)));
        let command = format!("<p>Without a browser:</p><pre>{}</pre>", escaped(&curl));
        let html = page(&[paragraph(&escaped(&greeting)), because, anchor, otherwise, command].concat());
        Letter { subject, text, html }
    }
}

fn greeting(name: Option<&str>) -> String {
    let name = name.map(one_line).filter(|name| !name.is_empty());
    name.map_or_else(|| "Hello,".to_owned(), |name| format!("Hello {name},"))
}

/// Without line breaks and other control characters: a name takes one line, in a header and elsewhere.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn page(body: &str) -> String {
    format!("<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><body>{body}</body></html>\n")
}

fn paragraph(html: &str) -> String {
    format!("<p>{html}</p>\n")
}

fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '&' | '<' | '>' | '"' | '\'') {
            // Writing to a string does not fail.
            let _ = write!(html, "&#{};", u32::from(c));
        } else {
            html.push(c);
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://millrace.example.com";

    #[test]
    fn a_token_stands_behind_the_hash() {
        let token = MailToken::generate().unwrap();
        let link = format!("https://millrace.example.com/reset-password#token={}\n", token.reveal());
        let letter = reset(BASE, &token, Some("Ada Lovelace"));
        assert!(
            letter.text.starts_with("Hello Ada Lovelace,\n") && letter.text.contains(&link),
            "{letter:?}"
        );
        assert!(
            letter.text.contains("'https://millrace.example.com/api/v1/auth/password/reset'"),
            "{letter:?}"
        );
        assert!(!letter.text.contains(&format!("?token={}", token.reveal())));
        for letter in [verify(BASE, &token), change(BASE, &token)] {
            assert!(letter.text.contains("/verify-email#token=mrm_"), "{letter:?}");
            assert!(letter.text.contains(r#"-d '{"token":"mrm_"#), "{letter:?}");
        }
    }

    #[test]
    fn a_name_is_a_line_of_text_and_no_markup() {
        let name = "Ada\r\nBcc: eve@example.com\r\n\r\n<b onclick='x'>\u{1b}";
        let letter = reset(BASE, &MailToken::generate().unwrap(), Some(name));
        assert!(letter.text.starts_with("Hello Ada Bcc: eve@example.com <b onclick='x'>,\n\n"), "{letter:?}");
        assert!(
            !letter.html.contains("<b ") && letter.html.contains("&#60;b onclick=&#39;x&#39;&#62;"),
            "{letter:?}"
        );
        assert!(changed(BASE, "new@example.com", Some(" \n ")).text.starts_with("Hello,\n"));
    }
}
