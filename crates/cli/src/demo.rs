//! `millrace demo`: a shop that does not exist, for a dashboard that looks as if it did.
//!
//! The simulation (`shop`, `visitor`, `session`, …) is pure: a seed and a date give the same
//! events, byte for byte, on every machine. `timeline` puts them in order, `live` goes on in real
//! time; sending is apart from both.

mod catalogue;
mod event;
mod live;
mod market;
mod random;
mod rhythm;
mod sending;
mod session;
mod shop;
mod timeline;
mod visitor;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, Utc};
use clap::{Args, value_parser};

use crate::client::{BaseUrl, Client, Compress, Key, Sender, SenderConfig};
use crate::signal;
use crate::summary::Summary;
use live::Live;
use shop::{Shop, Story};
use timeline::Timeline;

/// Send the events of a simulated shop
///
/// The same seed, number of days and users, and last day give the same events with the same ids, so
/// sending them again doubles nothing. Events of the last day that lie in the future are not sent;
/// --print prints them, too.
#[derive(Args)]
pub struct DemoArgs {
    /// What the simulation depends on
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Days to simulate
    #[arg(long, default_value_t = 60, value_parser = value_parser!(u16).range(1..=3660))]
    days: u16,
    /// Visitors who find the shop in that time
    #[arg(long, default_value_t = 2000, value_parser = value_parser!(u32).range(1..=1_000_000))]
    users: u32,
    /// The last day, in UTC [default: today]
    #[arg(long, value_name = "DATE")]
    until: Option<NaiveDate>,
    /// Print the events as JSON lines instead of sending them
    #[arg(long, conflicts_with_all = ["if_empty", "live"])]
    print: bool,
    /// Send the days that are past only to a project without events
    #[arg(long, requires = "read_key")]
    if_empty: bool,
    /// Then go on in real time, until Ctrl-C
    #[arg(long)]
    live: bool,
    /// How many visits begin in a minute of --live; one is some seven events
    #[arg(long, default_value_t = 6, value_parser = value_parser!(u16).range(1..=6000))]
    visits_per_minute: u16,
    /// Address of the server
    #[arg(long, env = "MILLRACE_URL", default_value = "http://127.0.0.1:8080")]
    url: BaseUrl,
    /// Key of the demo project with the scope `ingest`
    #[arg(long, env = "MILLRACE_DEMO_INGEST_KEY", hide_env_values = true, required_unless_present = "print")]
    key: Option<Key>,
    /// Key of the demo project with the scope `read`, for --if-empty
    #[arg(long, env = "MILLRACE_DEMO_READ_KEY", hide_env_values = true)]
    read_key: Option<Key>,
}

/// How long the server may be away before sending is given up.
const RETRY_FOR: Duration = Duration::from_secs(300);

/// Runs `millrace demo`.
///
/// # Errors
/// When the server does not take the events.
pub async fn execute(args: DemoArgs) -> anyhow::Result<ExitCode> {
    let now = Utc::now();
    let until = args.until.unwrap_or_else(|| now.date_naive());
    let opens = until - Days::new(u64::from(args.days) - 1);
    let story = Story { seed: args.seed, opens, days: args.days, visitors: args.users };
    let timeline = Timeline::new(Shop::new(story));
    let Some(key) = args.key.filter(|_| !args.print) else {
        return print(timeline).map_err(Into::into);
    };

    let interrupted = signal::interruption()?;
    let config = SenderConfig {
        url: args.url.clone(),
        key,
        compress: Compress::Auto,
        retry_for: RETRY_FOR,
        wait: true,
    };
    let sender = Sender::new(config, interrupted.clone())?;
    let mut summary = Summary::begin();
    let begun = match args.read_key {
        Some(read_key) if args.if_empty => has_events(&Client::new(&args.url, read_key)?, now).await?,
        _ => false,
    };
    let past = Timeline::new(Shop::new(story)).take_while(move |event| event.occurred_at <= now);
    let mut sent = if begun { Ok(()) } else { sending::send_all(past, &sender, &mut summary).await };
    if args.live && sent.is_ok() && !interrupted.is_cancelled() {
        let live = Live::new(timeline.into_shop(), args.visits_per_minute, Utc::now());
        sent = sending::keep_sending(live, &sender, &mut summary).await;
    }
    summary.print("sent", false)?;
    if !interrupted.is_cancelled() {
        sent?;
    } else if !args.live {
        // Of --live it is the proper end.
        return Ok(ExitCode::from(signal::INTERRUPTED));
    }
    Ok(ExitCode::from(u8::from(summary.rejected > 0)))
}

/// Whether the project holds any event of the last years. (The API answers for at most ten at once.)
async fn has_events(client: &Client, now: DateTime<Utc>) -> anyhow::Result<bool> {
    let found = client.top_events(now - Days::new(9 * 365), now + Days::new(2), 1).await?;
    Ok(!found.data.is_empty())
}

fn print(timeline: Timeline) -> io::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let print_all = || {
        for event in timeline {
            serde_json::to_writer(&mut out, &event)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    };
    match print_all() {
        // Whoever read has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        result => result.map(|()| ExitCode::SUCCESS),
    }
}
