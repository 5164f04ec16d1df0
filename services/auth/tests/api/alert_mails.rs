//! Mails to those whose alerts fired.

use chrono::Utc;
use millrace_domain::ids::AlertId;
use millrace_storage::alerts::evaluation::{self, Outcome};
use millrace_storage::alerts::{self, Content, history};
use millrace_storage::insights;
use millrace_storage::mails::{self, AlertMail};
use millrace_storage::projects;
use serde_json::json;

use millrace_domain::workspace::alert::{Reading, Standing};

use crate::mail_server::MailServer;
use crate::stage::Stage;

#[actix_web::test]
async fn whoever_owns_an_alert_and_is_a_member_gets_a_mail_when_it_fires() {
    let mut server = MailServer::start(&["plain"]).await;
    let stage = Stage::with_mail(&server, |_| {}).await;
    let (ada, eve) = (stage.person("ada").await, stage.person("eve").await);
    let newcomer = stage.newcomer("newcomer").await;
    // The newcomer's mail, to prove the address.
    server.mail().await;
    let mut store = stage.store().await;
    let shop = projects::create_owned(&mut store, "Shop", "UTC".parse().unwrap(), ada.id).await.unwrap().id;
    let content = insights::Content {
        title: Some("Orders"),
        body: Some(""),
        visibility: Some("project"),
        tags: Some(Vec::new()),
        query: None,
    };
    let insight = insights::create(&mut store, shop, ada.id, content, Utc::now()).await.unwrap().id;
    let content = Content {
        name: Some("Orders <have> stopped"),
        visibility: Some("project"),
        condition: Some(json!({"kind": "no_data"})),
        times: Some(1),
        every_seconds: Some(60),
        enabled: Some(true),
        by_mail: Some(true),
        ..Content::default()
    };
    let id = AlertId::new();
    alerts::create(&mut store, id, (shop, insight), ada.id, content, None, Utc::now()).await.unwrap();
    let taken = evaluation::take(&mut store, std::time::Duration::from_secs(60)).await.unwrap().unwrap();
    let reading = Ok(Reading { number: Some(0.0), previous: Some(12.5) });
    let outcome = Outcome { standing: Standing { firing: true, against: 0 }, reading };
    assert!(evaluation::finish(&mut store, &taken, &outcome, Utc::now()).await.unwrap());
    let event = history::page(&mut store, taken.alert.id, None, 1).await.unwrap()[0].id;

    let mut ask = async |owner| {
        let mail = AlertMail { owner, project: shop, event };
        mails::ask_for_alert(&mut store, mail, Utc::now()).await.unwrap()
    };
    assert!(!ask(eve.id).await, "she is no member");
    assert!(!ask(newcomer.id).await, "nobody knows whose address that is");
    assert!(ask(ada.id).await);
    let mail = server.mail().await;
    assert_eq!(mail["to"], json!([ada.email]));
    let text = mail["text"].as_str().unwrap();
    let news = "Your alert \u{201c}Orders <have> stopped\u{201d} has fired: it read 0, and 12.5 before.";
    assert!(text.contains(news), "{text}");
    stage.mail_was("alert", "sent").await;
}
