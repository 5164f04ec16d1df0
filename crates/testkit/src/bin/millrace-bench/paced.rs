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

/// A connection, and the request that it was last used for.
struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
    due: Instant,
}

/// So many requests a second, each by the connection that has been free for longest. The rate does not depend on the
/// answers: a request for which no connection is free at its moment has waited from then on.
pub fn at_rate(
    mut probe: Probe,
    connections: u32,
    per_second: u32,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let interval = Duration::from_secs(1) / per_second;
    let mut free = VecDeque::new();
    for _ in 0..connections {
        free.push_back(Connection::open(&probe)?);
    }
    let (mut busy, mut latencies) = (Vec::<Connection>::new(), Histogram::new(3)?);
    let started = Instant::now();
    let (mut next, end) = (started, started + time);
    loop {
        while next < end && next <= Instant::now() {
            let Some(mut connection) = free.pop_front() else { break };
            connection.due = next;
            connection.stream.write_all(probe.request())?;
            busy.push(connection);
            next += interval;
        }
        if next >= end && busy.is_empty() {
            break;
        }
        let until_next =
            (next < end && !free.is_empty()).then(|| next.saturating_duration_since(Instant::now()));
        let ready = ready(&busy, until_next)?;
        for place in (0..busy.len()).rev().filter(|place| ready[*place]) {
            if busy[place].read(&probe)? {
                let connection = busy.swap_remove(place);
                latencies.record(u64::try_from(connection.due.elapsed().as_micros())?.max(1))?;
                free.push_back(connection);
            }
        }
    }
    Ok(Outcome::new(latencies, started.elapsed()))
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
    fn open(probe: &Probe) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(probe.address())?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4096), due: Instant::now() })
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
