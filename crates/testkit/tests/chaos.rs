//! The short form of `make chaos`: services are killed and wires cut for some seconds. The servers are shared with other
//! tests and stay.

use std::process::Command;

#[test]
fn whatever_breaks_every_acknowledged_event_is_stored_once() {
    let output = Command::new(env!("CARGO_BIN_EXE_millrace-chaos"))
        .args(["--events", "6000", "--seconds", "12", "--calm", "900", "--patience", "60"])
        .env_remove("MILLRACE_CHAOS_SERVERS")
        .output()
        .expect("it was built for this test");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    for fault in ["SIGKILL worker", "cut off nats", "two of these at once"] {
        assert!(said.contains(fault), "{said}");
    }
}
