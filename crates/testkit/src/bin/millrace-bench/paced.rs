//! Requests at their own moments, however late the answers are: by one thread that does nothing else, because everything
//! that a generator takes of the machine is missing in what it measures.
//!
//! Not with the timers of an asynchronous runtime, which go by milliseconds: requests would come in heaps, a thousand times a
//! second, and what was measured would be how long they wait for each other.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::ensure;
use hdrhistogram::Histogram;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::probe::{Outcome, Probe, length};

/// One kind of request among those that are sent.
pub struct Lane {
    pub probe: Probe,
    pub connections: u32,
    pub per_second: u32,
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
    interval: Duration,
    next: Instant,
    free: VecDeque<Connection>,
    latencies: Histogram<u64>,
}

/// So many requests a second in each lane, each by the connection that has been free for longest. The rate does not
/// depend on the answers: a request for which no connection is free at its moment has waited from then on.
pub fn at_rates(lanes: Vec<Lane>, time: Duration) -> anyhow::Result<Vec<Outcome>> {
    let mut free = Vec::new();
    for (place, lane) in lanes.iter().enumerate() {
        let connections = (0..lane.connections).map(|_| Connection::open(&lane.probe, place));
        free.push(connections.collect::<anyhow::Result<VecDeque<_>>>()?);
    }
    let started = Instant::now();
    let mut lanes: Vec<Progress> = lanes
        .into_iter()
        .zip(free)
        .map(|(lane, free)| Progress::begin(lane, free, started))
        .collect::<anyhow::Result<_>>()?;
    let (mut busy, end) = (Vec::<Connection>::new(), started + time);
    loop {
        for lane in &mut lanes {
            lane.send_what_is_due(end, &mut busy)?;
        }
        if busy.is_empty() && lanes.iter().all(|lane| lane.next >= end) {
            break;
        }
        let until_next = lanes.iter().filter_map(|lane| lane.until_next(end)).min();
        let ready = ready(&busy, until_next)?;
        for place in (0..busy.len()).rev().filter(|place| ready[*place]) {
            let lane = &mut lanes[busy[place].lane];
            if busy[place].read(&lane.probe)? {
                let connection = busy.swap_remove(place);
                lane.latencies.record(u64::try_from(connection.due.elapsed().as_micros())?.max(1))?;
                lane.free.push_back(connection);
            }
        }
    }
    let took = started.elapsed();
    Ok(lanes.into_iter().map(|lane| Outcome::new(lane.latencies, took)).collect())
}

impl Progress {
    fn begin(lane: Lane, free: VecDeque<Connection>, started: Instant) -> anyhow::Result<Self> {
        let interval = Duration::from_secs(1) / lane.per_second;
        Ok(Self { probe: lane.probe, interval, next: started, free, latencies: Histogram::new(3)? })
    }

    fn send_what_is_due(&mut self, end: Instant, busy: &mut Vec<Connection>) -> anyhow::Result<()> {
        while self.next < end && self.next <= Instant::now() {
            let Some(mut connection) = self.free.pop_front() else { break };
            connection.due = self.next;
            connection.stream.write_all(self.probe.request())?;
            busy.push(connection);
            self.next += self.interval;
        }
        Ok(())
    }

    /// How long there is nothing to send; `None` until a connection is free, and at the end.
    fn until_next(&self, end: Instant) -> Option<Duration> {
        (self.next < end && !self.free.is_empty())
            .then(|| self.next.saturating_duration_since(Instant::now()))
    }
}

/// Which of them have something to read, as soon as one has, or after so long.
fn ready(busy: &[Connection], wait: Option<Duration>) -> anyhow::Result<Vec<bool>> {
    let wait = wait.map(Timespec::try_from).transpose()?;
    let mut asked: Vec<PollFd<'_>> =
        busy.iter().map(|connection| PollFd::new(&connection.stream, PollFlags::IN)).collect();
    match poll(&mut asked, wait.as_ref()) {
        Err(Errno::INTR) | Ok(_) => Ok(asked.iter().map(|of_one| !of_one.revents().is_empty()).collect()),
        Err(error) => Err(error.into()),
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
