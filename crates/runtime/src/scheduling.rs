//! How the system shares its processors between the threads of services.

use uapi::{Errno, c, sched_getscheduler, sched_setscheduler};

/// The calling thread, and what it starts from then on.
const THIS_THREAD: c::pid_t = 0;

/// Has the calling thread, and those it starts, finish what they are at instead of being interrupted by whom they wake
/// (`SCHED_BATCH`, [sched(7)](https://man7.org/linux/man-pages/man7/sched.7.html)): a service that writes to its neighbour
/// would else be put aside for it, once for each request. A policy that somebody has chosen stays.
///
/// # Errors
/// When the system does not let a process choose.
pub(crate) fn finish_before_others() -> Result<(), Errno> {
    if sched_getscheduler(THIS_THREAD)? == c::SCHED_OTHER {
        sched_setscheduler(THIS_THREAD, c::SCHED_BATCH, &c::sched_param { sched_priority: 0 })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn policy() -> c::c_int {
        sched_getscheduler(THIS_THREAD).unwrap()
    }

    #[test]
    fn threads_are_as_the_one_that_starts_them() {
        let started = thread::spawn(|| {
            finish_before_others().unwrap();
            thread::spawn(policy).join().unwrap()
        });
        assert_eq!(started.join().unwrap(), c::SCHED_BATCH);
    }

    #[test]
    fn a_policy_that_was_chosen_stays() {
        let chosen = thread::spawn(|| {
            let idle = c::sched_param { sched_priority: 0 };
            sched_setscheduler(THIS_THREAD, c::SCHED_IDLE, &idle).unwrap();
            finish_before_others().unwrap();
            policy()
        });
        assert_eq!(chosen.join().unwrap(), c::SCHED_IDLE);
    }
}
