//! Questions, asked and compared with their definitions.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;

use crate::chronicle::Happened;
use crate::definition::{self, Dated, Kind, Retention, dated};
use crate::stage::{Project, Stage};

/// Where, when and about what.
pub(crate) struct Asked<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) project: &'a Project,
    pub(crate) zone: &'a str,
    /// First and last; those of the history, unless set to others.
    pub(crate) dates: (NaiveDate, NaiveDate),
    pub(crate) history: Vec<Dated<'a>>,
    pub(crate) today: NaiveDate,
}

impl<'a> Asked<'a> {
    pub(crate) fn new(
        stage: &'a Stage,
        project: &'a Project,
        zone: &'a str,
        history: &'a [Happened],
        now: DateTime<Utc>,
    ) -> Self {
        let tz: Tz = zone.parse().unwrap();
        let (history, today) = (dated(history, tz), now.with_timezone(&tz).date_naive());
        let dates = (
            history.iter().map(|dated| dated.date).min().unwrap(),
            history.iter().map(|dated| dated.date).max().unwrap(),
        );
        Self { stage, project, zone, dates, history, today }
    }

    fn path(&self, name: &str, rest: &str) -> String {
        let ((from, to), zone) = (self.dates, self.zone);
        format!("/api/v1/stats/{name}?from={from}&to={to}&timezone={zone}{rest}")
    }

    /// Asks, compares and says what the answer was read from.
    pub(crate) async fn active_users(&self, name: &str, window: u64, kind: Kind<'_>) -> String {
        let filter = kind.map(|kind| format!("&event_type={kind}")).unwrap_or_default();
        let path = self.path(name, &filter);
        let answer = self.stage.ask(self.project, &path).await;
        let expected = definition::active_users(&self.history, self.dates, window, kind);
        assert_eq!(answer.body["data"], expected, "{path}");
        answer.source
    }

    /// Asks, compares and says what the answer was read from.
    pub(crate) async fn top_events(&self, limit: usize) -> String {
        let path = self.path("top-events", &format!("&limit={limit}"));
        let answer = self.stage.ask(self.project, &path).await;
        let (from, to) = self.dates;
        let on_the_dates = self.history.iter().filter(|dated| from <= dated.date && dated.date <= to);
        let expected = definition::top_events(on_the_dates.map(|dated| dated.event), limit);
        assert_eq!(answer.body["data"], expected, "{path}");
        answer.source
    }

    /// Asks, compares and says what the answer was read from.
    pub(crate) async fn retention(&self, question: &Retention<'_>) -> String {
        let Retention { interval, periods, mode, cohort, start, back } = question;
        let brackets: Vec<&str> = periods.iter().filter_map(|(_, _, bracket)| *bracket).collect();
        let periods = match brackets.as_slice() {
            [] => format!("periods={}", periods.len()),
            _ => format!("brackets={}", brackets.join(",")),
        };
        let mut rest = format!("&interval={interval}&mode={mode}&cohort={cohort}&{periods}");
        for (parameter, kind) in [("start_event", start), ("return_event", back)] {
            rest += &kind.map(|kind| format!("&{parameter}={kind}")).unwrap_or_default();
        }
        let path = self.path("retention", &rest);
        let answer = self.stage.ask(self.project, &path).await;
        let (data, average) = definition::retention(&self.history, self.dates, self.today, question);
        assert_eq!(answer.body["data"], data, "{path}");
        assert_eq!(answer.body["average"], average, "{path}");
        answer.source
    }
}

pub(crate) fn date(text: &str) -> NaiveDate {
    text.parse().unwrap()
}
