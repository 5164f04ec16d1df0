//! Requests by one thread that does nothing else, because everything that a generator takes of the machine is missing in what
//! it measures: as fast as the answers come, or at their own moments, however late the answers are.
//!
//! Not with the timers of an asynchronous runtime, which go by milliseconds: requests would come in heaps, a thousand times a
//! second, and what was measured would be how long they wait for each other.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hdrhistogram::Histogram;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;

use crate::probe::{Outcome, Probe, length};

/// How long requests at a rate are sent before they count: until both sides have opened their connections, and know what they are for.
const WARM_UP: Duration = Duration::from_millis(500);

/// One kind of request among those that are sent.
pub struct Lane {
    pub probe: Probe,
    pub connections: u32,
    /// `None`: the next one on each connection when the last one is answered.
    pub per_second: Option<u32>,
}

/// A connection, and the request that it was last used for.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    due: Instant,
    /// The place of its lane.
    lane: usize,
}

/// How a lane is getting on.
struct Progress {
    probe: Probe,
    interval: Option<Duration>,
    /// When the next one is due, if there is an interval.
    next: Instant,
    /// The places of its connections that wait for nothing.
    free: VecDeque<usize>,
    latencies: Histogram<u64>,
}

/// So many requests a second in each lane, each by the connection that has been free for longest. The rate does not
/// depend on the answers: a request for which no connection is free at its moment has waited from then on. What is counted is
/// what is sent in `time`, after [`WARM_UP`].
pub fn at_rates(lanes: Vec<Lane>, time: Duration) -> anyhow::Result<Vec<Outcome>> {
    run(lanes, WARM_UP, time)
}

/// As many requests as are answered over so many connections. All of them count.
pub fn flat_out(probe: Probe, connections: u32, time: Duration) -> anyhow::Result<Outcome> {
    let lane = Lane { probe, connections, per_second: None };
    run(vec![lane], Duration::ZERO, time)?.pop().context("a lane has an outcome")
}

fn run(lanes: Vec<Lane>, warm_up: Duration, time: Duration) -> anyhow::Result<Vec<Outcome>> {
    let watch = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let mut connections = Vec::new();
    let mut progress = Vec::new();
    let started = Instant::now();
    for (place, lane) in lanes.into_iter().enumerate() {
        let mut free = VecDeque::new();
        for _ in 0..lane.connections {
            let connection = Connection::open(&lane.probe, place)?;
            let data = epoll::EventData::new_u64(connections.len() as u64);
            epoll::add(&watch, &connection.stream, data, epoll::EventFlags::IN)?;
            free.push_back(connections.len());
            connections.push(connection);
        }
        progress.push(Progress::begin(lane, free, started)?);
    }
    let counted_from = started + warm_up;
    let (mut waiting, mut ready, end) = (0, Vec::with_capacity(connections.len()), counted_from + time);
    loop {
        for lane in &mut progress {
            waiting += lane.send_what_is_due(end, &mut connections)?;
        }
        if waiting == 0 && progress.iter().all(|lane| lane.is_over(end)) {
            break;
        }
        let until_next = progress.iter().filter_map(|lane| lane.until_next(end)).min();
        wait(&watch, &mut ready, until_next)?;
        for event in ready.drain(..) {
            let place = usize::try_from(event.data.u64())?;
            let connection = &mut connections[place];
            let lane = &mut progress[connection.lane];
            if connection.read(&lane.probe)? {
                if connection.due >= counted_from {
                    lane.latencies.record(u64::try_from(connection.due.elapsed().as_micros())?.max(1))?;
                }
                lane.free.push_back(place);
                waiting -= 1;
            }
        }
    }
    let took = counted_from.elapsed();
    Ok(progress.into_iter().map(|lane| Outcome::new(lane.latencies, took)).collect())
}

/// Until one of the connections has something to read, or for so long.
fn wait(watch: &OwnedFd, ready: &mut Vec<epoll::Event>, time: Option<Duration>) -> anyhow::Result<()> {
    let time = time.map(Timespec::try_from).transpose()?;
    match epoll::wait(watch, spare_capacity(ready), time.as_ref()) {
        Err(Errno::INTR) | Ok(_) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

impl Progress {
    fn begin(lane: Lane, free: VecDeque<usize>, started: Instant) -> anyhow::Result<Self> {
        let interval = lane.per_second.map(|per_second| Duration::from_secs(1) / per_second);
        Ok(Self { probe: lane.probe, interval, next: started, free, latencies: Histogram::new(3)? })
    }

    /// Says how many that was.
    fn send_what_is_due(&mut self, end: Instant, connections: &mut [Connection]) -> anyhow::Result<usize> {
        let mut sent = 0;
        while let Some(due) = self.due(end)
            && let Some(place) = self.free.pop_front()
        {
            connections[place].due = due;
            connections[place].stream.write_all(self.probe.request())?;
            self.next = due + self.interval.unwrap_or_default();
            sent += 1;
        }
        Ok(sent)
    }

    /// When a request is due, if one is.
    fn due(&self, end: Instant) -> Option<Instant> {
        let now = Instant::now();
        let due = if self.interval.is_some() { self.next } else { now };
        (due <= now && due < end).then_some(due)
    }

    fn is_over(&self, end: Instant) -> bool {
        if self.interval.is_some() { self.next >= end } else { Instant::now() >= end }
    }

    /// How long there is nothing to send; `None` until a connection is free, and at the end.
    fn until_next(&self, end: Instant) -> Option<Duration> {
        (self.interval.is_some() && self.next < end && !self.free.is_empty())
            .then(|| self.next.saturating_duration_since(Instant::now()))
    }
}

impl Connection {
    fn open(probe: &Probe, lane: usize) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(probe.address())?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4096), due: Instant::now(), lane })
    }

    /// Reads what has come of an answer; whether that is all of it.
    fn read(&mut self, probe: &Probe) -> anyhow::Result<bool> {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            read => {
                let read = read?;
                ensure!(read > 0, "the connection was closed");
                self.answer.extend_from_slice(&piece[..read]);
            }
        }
        let complete =
            length(&self.answer, probe.expected())?.is_some_and(|length| self.answer.len() >= length);
        if complete {
            self.answer.clear();
        }
        Ok(complete)
    }
}
