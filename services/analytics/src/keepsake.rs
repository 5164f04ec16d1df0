//! What members keep, looked up, judged, changed and deleted alike, whatever it is.

use std::fmt::Display;
use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use chrono::{DateTime, Utc};
use millrace_domain::ids::ProjectId;
use millrace_domain::notification::{About, Notification, NotificationKind};
use millrace_domain::workspace::sharing::{Kept, Visibility};
use millrace_http::problem::{Code, Problem};
use millrace_http::revision::{self, Seen};
use millrace_storage::dashboards::Dashboard;
use millrace_storage::database::Connection;
use millrace_storage::error::StorageError;
use millrace_storage::insights::Insight;
use serde::Serialize;

use crate::errors::AnalyticsError;
use crate::member::{ProjectMember, too_little};
use crate::news::{tell, tell_all};
use crate::state::State;

/// What there is to know of something, whatever it is.
pub(crate) struct Card<'a, Id> {
    pub(crate) id: Id,
    pub(crate) version: i64,
    pub(crate) kept: Kept,
    /// Which ids its news carry.
    pub(crate) about: About,
    /// What it is called, and under which name news say so.
    pub(crate) title: (&'static str, &'a str),
}

/// Something that members keep: it has an owner, a visibility and a version, and others hear of what becomes of it.
pub(crate) trait Keepsake: Clone {
    /// What it is called in sentences.
    const NOUN: &'static str;
    /// Where all of its kind are.
    const PATH: &'static str;
    /// What is told when one is made, changed and deleted.
    const NEWS: [NotificationKind; 3];
    /// Names one of its kind.
    type Id: Copy + Display + FromStr;
    /// What is shown of it.
    type View: Serialize;

    /// What there is to know of it, whatever it is.
    fn card(&self) -> Card<'_, Self::Id>;

    async fn find(
        conn: &mut Connection,
        project: ProjectId,
        id: Self::Id,
    ) -> Result<Option<Self>, StorageError>;

    /// Deletes it in the version that it has, and returns what is to be told of what went with it; `None`: it has another
    /// version by now.
    async fn delete(
        self,
        conn: &mut Connection,
        caller: &ProjectMember,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Notification>>, StorageError>;

    /// What has to be done once one is changed or deleted, before anybody is told.
    async fn settle(_: &State, _: ProjectId) {}

    async fn view(self, conn: &mut Connection, caller: &ProjectMember) -> Result<Self::View, AnalyticsError>;
}

impl ProjectMember {
    /// One that the caller may see; any other is not there.
    pub(crate) async fn visible<K: Keepsake>(&self, conn: &mut Connection, id: &str) -> Result<K, Problem> {
        let found = match id.parse::<K::Id>() {
            Ok(id) => K::find(conn, self.project, id).await.map_err(AnalyticsError::from)?,
            Err(_not_an_id) => None,
        };
        found.filter(|thing| self.member.may_see(thing.card().kept)).ok_or_else(|| {
            let detail = format!("there is no such {}, or it is not yours to see", K::NOUN);
            Problem::new(Code::NotFound, detail)
        })
    }

    /// One that they may change so that it is seen by whom `becomes` says; `None`: by the same as before.
    pub(crate) async fn changeable<K: Keepsake>(
        &self,
        conn: &mut Connection,
        id: &str,
        becomes: Option<Visibility>,
    ) -> Result<K, Problem> {
        let thing: K = self.visible(conn, id).await?;
        if !self.member.may_change(thing.card().kept) {
            return Err(too_little("editor", self.member.role));
        }
        let moves = becomes.is_some_and(|visibility| visibility != thing.card().kept.visibility);
        if moves && !self.member.may_dispose_of(thing.card().kept) {
            return Err(too_little("admin", self.member.role));
        }
        Ok(thing)
    }

    /// One that they may take away from others, or show to them.
    pub(crate) async fn disposable<K: Keepsake>(
        &self,
        conn: &mut Connection,
        id: &str,
    ) -> Result<K, Problem> {
        let thing: K = self.visible(conn, id).await?;
        let may = self.member.may_dispose_of(thing.card().kept);
        if may { Ok(thing) } else { Err(too_little("admin", self.member.role)) }
    }

    /// What there is to see of it, which the caller has seen.
    ///
    /// # Errors
    /// 412 with that, if they have not.
    pub(crate) async fn having_seen<K: Keepsake>(
        &self,
        conn: &mut Connection,
        thing: K,
        seen: &Seen,
    ) -> Result<K::View, Problem> {
        let version = thing.card().version;
        let present = thing.view(conn, self).await?;
        seen.check(version, &present)?;
        Ok(present)
    }

    /// Shows it.
    pub(crate) async fn show<K: Keepsake>(
        &self,
        conn: &mut Connection,
        thing: K,
    ) -> Result<HttpResponse, Problem> {
        let version = thing.card().version;
        Ok(HttpResponse::Ok().insert_header(revision::tag(version)).json(thing.view(conn, self).await?))
    }

    /// Tells of one that was just made, and shows it.
    pub(crate) async fn made<K: Keepsake>(
        &self,
        mut conn: Connection,
        state: &State,
        made: K,
    ) -> Result<HttpResponse, Problem> {
        let (location, [kind, ..]) = (format!("{}/{}", K::PATH, made.card().id), K::NEWS);
        let news = self.news_of(&made, kind);
        let mut response = self.show(&mut conn, made).await?;
        *response.status_mut() = StatusCode::CREATED;
        if let Ok(location) = location.parse() {
            response.headers_mut().insert(LOCATION, location);
        }
        drop(conn);
        tell(state, self.project, news).await;
        Ok(response)
    }

    /// Tells of one that was just changed, and shows it; `None`: somebody changed it between our look and our change.
    pub(crate) async fn changed<K: Keepsake>(
        &self,
        mut conn: Connection,
        state: &State,
        id: K::Id,
        changed: Option<K>,
    ) -> Result<HttpResponse, Problem> {
        let Some(changed) = changed else { return Err(self.outrun::<K>(&mut conn, id).await?) };
        let [_, kind, _] = K::NEWS;
        let news = self.news_of(&changed, kind);
        let response = self.show(&mut conn, changed).await?;
        drop(conn);
        K::settle(state, self.project).await;
        tell(state, self.project, news).await;
        Ok(response)
    }

    /// Deletes one that they may dispose of and have seen, and tells of it.
    pub(crate) async fn delete<K: Keepsake>(
        &self,
        state: &State,
        id: &str,
        seen: &Seen,
    ) -> Result<HttpResponse, Problem> {
        let mut conn = state.connection().await?;
        let thing: K = self.disposable(&mut conn, id).await?;
        let (id, [.., kind]) = (thing.card().id, K::NEWS);
        let news = self.news_of(&thing, kind);
        self.having_seen(&mut conn, thing.clone(), seen).await?;
        let along = thing.delete(&mut conn, self, (state.clock)()).await.map_err(AnalyticsError::from)?;
        let Some(along) = along else { return Err(self.outrun::<K>(&mut conn, id).await?) };
        drop(conn);
        K::settle(state, self.project).await;
        tell_all(state, self.project, along.into_iter().chain([news])).await;
        Ok(HttpResponse::NoContent().finish())
    }

    async fn outrun<K: Keepsake>(&self, conn: &mut Connection, id: K::Id) -> Result<Problem, Problem> {
        let present: K = self.visible(conn, &id.to_string()).await?;
        Ok(revision::changed_meanwhile(&present.view(conn, self).await?))
    }

    /// What those who may see both are told of an insight on a dashboard.
    pub(crate) fn news_of_tile(
        &self,
        kind: NotificationKind,
        dashboard: &Dashboard,
        insight: &Insight,
    ) -> Notification {
        let about =
            About { insight_id: Some(insight.id.0), dashboard_id: Some(dashboard.id.0), ..About::default() };
        self.news(kind, about, dashboard.kept.and(insight.kept))
    }

    /// What those who may see it are told.
    pub(crate) fn news_of<K: Keepsake>(&self, thing: &K, kind: NotificationKind) -> Notification {
        let Card { about, kept, title: (word, title), .. } = thing.card();
        self.news(kind, about, kept).with(word, title)
    }
}
