//! Sessions: how long users stayed, where they came in and where they left.

use millrace_domain::analytics::asked::Asked;
use millrace_domain::analytics::buckets;
use millrace_domain::analytics::event_selector::EventSelector;
use millrace_domain::analytics::filter::{Filter, Selection};
use millrace_domain::analytics::sessions::{Figures, SessionsFold, SessionsQuery};
use millrace_domain::analytics::time_zone::TimeZone;
use millrace_storage::projects::Project;
use serde::Serialize;
use utoipa::ToSchema;

use crate::errors::AnalyticsError;
use crate::reader::Reader;

/// What is known of some sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionFigures {
    /// How many they are.
    pub sessions: u64,
    /// The distinct users who had them.
    pub users: u64,
    /// Their events.
    pub events: u64,
    /// Those of one event, over all of them; 0 of none.
    pub bounce_rate: f64,
    /// The mean of their lengths, in seconds; `null` of none.
    pub mean_seconds: Option<f64>,
    /// The median of their lengths, in seconds; `null` of none.
    pub median_seconds: Option<f64>,
}

/// The sessions that begin in a point of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsPoint {
    /// The first date of the interval, or the beginning of the hour.
    pub bucket: String,
    /// Its sessions.
    #[serde(flatten)]
    pub figures: SessionFigures,
}

/// An event type at one end of sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionEnd {
    /// The type.
    pub event_type: String,
    /// The sessions that begin or end with it.
    pub sessions: u64,
}

/// Sessions.
#[derive(Debug, Serialize, ToSchema)]
pub struct SessionsAnswer {
    /// As asked.
    pub from: String,
    /// As asked.
    pub to: String,
    /// The zone of the dates.
    #[schema(value_type = String)]
    pub timezone: TimeZone,
    /// As asked, or `day`.
    pub interval: &'static str,
    /// All of them.
    pub total: SessionFigures,
    /// By when they begin, in order.
    pub data: Vec<SessionsPoint>,
    /// With what they begin, most first.
    pub entries: Vec<SessionEnd>,
    /// With what they end, most first.
    pub exits: Vec<SessionEnd>,
}

/// Answers for a project.
///
/// # Errors
/// When there are too many events or points, or the project cannot be read.
pub async fn answer(
    reader: &mut Reader,
    project: &Project,
    asked: Asked,
    query: SessionsQuery,
    filter: Option<Filter>,
) -> Result<SessionsAnswer, AnalyticsError> {
    let zone = asked.zone(project.timezone);
    let buckets = buckets::cut(query.interval, asked.period, zone)?;
    let instants = asked.period.instants(zone);
    let events = Selection { event: EventSelector::Any, filter };
    let mut fold = SessionsFold::new(&query, &buckets);
    let _room = reader.user_by_user(project, &events, &instants, &mut fold).await?;
    let sessions = fold.finish();
    let points = buckets.into_iter().zip(sessions.buckets);
    let ends = |ends: Vec<(String, u64)>| {
        ends.into_iter().map(|(event_type, sessions)| SessionEnd { event_type, sessions }).collect()
    };
    Ok(SessionsAnswer {
        from: asked.from,
        to: asked.to,
        timezone: zone,
        interval: query.interval.as_str(),
        total: sessions.all.into(),
        data: points
            .map(|(bucket, figures)| SessionsPoint { bucket: bucket.name, figures: figures.into() })
            .collect(),
        entries: ends(sessions.entries),
        exits: ends(sessions.exits),
    })
}

impl From<Figures> for SessionFigures {
    #[expect(clippy::cast_precision_loss, reason = "exact below 2^53 sessions")]
    fn from(figures: Figures) -> Self {
        let Figures { sessions, users, events, bounces, mean_seconds, median_seconds } = figures;
        let bounce_rate = if sessions == 0 { 0.0 } else { bounces as f64 / sessions as f64 };
        Self { sessions, users, events, bounce_rate, mean_seconds, median_seconds }
    }
}
