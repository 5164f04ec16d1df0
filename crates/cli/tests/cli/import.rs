use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::command::{Ended, millrace, run};
use crate::far_end::{Answer, FarEnd, INGEST_KEY};

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }
}

fn import(far_end: &FarEnd, args: &[&str]) -> Ended {
    run(&[&["import", "--url", &far_end.url, "--key", INGEST_KEY], args].concat())
}

fn logins(count: u32) -> String {
    let rows = (0..count).map(|n| format!("user-{n},login,2026-11-01T10:00:00Z,\"{{\"\"n\"\": {n}}}\"\n"));
    std::iter::once("user_id,event_type,occurred_at,properties\n".to_owned()).chain(rows).collect()
}

#[test]
fn a_file_is_imported_and_importing_it_again_doubles_nothing() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let file = folder.write("events.csv", logins(2_500));
    let first = import(&far_end, &[&file]);
    assert_eq!((first.code, first.counts()), (Some(0), [2_500, 2_500, 0, 0]), "{}", first.stderr);
    let zipped = zstd::encode_all(fs::File::open(&file).unwrap(), 1).unwrap();
    let renamed = folder.write("the-same.csv.zst", zipped);
    let second = import(&far_end, &[&renamed, "--batch", "7"]);
    assert_eq!((second.code, second.counts()), (Some(0), [2_500, 0, 2_500, 0]), "{}", second.stderr);
    assert_eq!(far_end.kept().len(), 2_500);
    assert_eq!(far_end.kept()[0]["properties"]["n"].as_u64().map(|n| n < 2_500), Some(true));
}

#[test]
fn every_format_gives_the_same_events() {
    let folder = Folder::new();
    let id = |n| format!("00000000-0000-4000-8000-00000000000{n}");
    let event = |n| {
        format!(
            r#"{{"event_id":"{}","user_id":"u{n}","event_type":"login","timestamp":"2026-11-01T10:00:00+05:30","data":{{"n":1.0}},"session_id":"s","plan":"pro"}}"#,
            id(n)
        )
    };
    let csv = |n| format!("pro,s,\"{{\"\"n\"\":1.0}}\",2026-11-01T10:00:00+05:30,login,u{n},{}\n", id(n));
    let header = "plan,session_id,properties,occurred_at,event_type,user_id,event_id\n";
    let files = [
        folder.write("a.csv", format!("\u{feff}{header}{}{}", csv(1), csv(2))),
        folder.write("b.ndjson", format!("{}\n\n{}", event(1), event(2))),
        folder.write("c.json", format!("[{},\n {}]", event(1), event(2))),
        folder.write("d.json", format!("{{\"events\": [{},{}]}}", event(1), event(2))),
        folder.write("e", format!("{}\n{}\n", event(1), event(2))),
    ];
    let imported = files.map(|file| {
        let far_end = FarEnd::start();
        let ended = import(&far_end, &[&file]);
        assert_eq!((ended.code, ended.counts()), (Some(0), [2, 2, 0, 0]), "{file}: {}", ended.stderr);
        far_end.kept()
    });
    assert_eq!(imported[0][0]["properties"].to_string(), r#"{"n":1.0,"plan":"pro"}"#);
    assert_eq!(imported[0][0]["occurred_at"], "2026-11-01T10:00:00+05:30");
    assert!(imported.iter().all(|events| *events == imported[0]), "{imported:#?}");
}

#[test]
fn bad_rows_are_told_by_file_and_line_and_the_rest_is_imported() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let mut csv = b"user_id,event_type,properties,note\n".to_vec();
    csv.extend_from_slice(b"a,login,,\"two\nlines\"\n"); // lines 2 and 3
    csv.extend_from_slice(b"b,login,{broken,\n"); // 4: rejected here
    csv.extend_from_slice(b",login,,\n"); // 5: rejected by the server
    csv.extend_from_slice(b"c,\xff,,\n"); // 6: rejected here
    csv.extend_from_slice(b"d,login,\"{,\n"); // 7: a quote that is not closed
    csv.extend_from_slice(b"e,login,\"{\"\"n\"\": 1}\",\n");
    let big = format!("f,login,,{}\n", "x".repeat(40_000)); // 9: larger than an event may be
    csv.extend_from_slice(big.as_bytes());
    let (csv, jsonl) = (
        folder.write("events.csv", csv),
        folder.write("more.jsonl", "{\"user_id\":\"g\",\"event_type\":\"login\"}\n\n{\"user_id\":\n[]\n"),
    );
    let rejects = folder.path("rejects.csv");
    let ended = import(&far_end, &[&csv, &jsonl, "--rejects", rejects.to_str().unwrap()]);
    assert_eq!((ended.code, ended.counts()), (Some(1), [10, 3, 0, 7]), "{}", ended.stderr);

    let mut reader = csv::Reader::from_path(&rejects).unwrap();
    assert_eq!(reader.headers().unwrap(), vec!["file", "line", "reason", "code", "raw"]);
    let mut told: Vec<(String, String, String)> = reader
        .byte_records()
        .map(|record| {
            let record = record.unwrap();
            let text = |at: usize| String::from_utf8_lossy(&record[at]).into_owned();
            assert!(!text(2).is_empty());
            let name = text(0).rsplit_once('/').unwrap().1.to_owned();
            (format!("{name}:{}", text(1)), text(3), text(4))
        })
        .collect();
    told.sort_by_key(|(place, ..)| place.clone());
    let place = |at: usize| (told[at].0.as_str(), told[at].1.as_str());
    assert_eq!(place(0), ("events.csv:4", "invalid_properties"));
    assert_eq!(place(1), ("events.csv:5", "invalid_user_id"));
    assert_eq!(place(2), ("events.csv:6", "invalid_utf8"));
    assert_eq!(place(3), ("events.csv:7", "invalid_csv"));
    assert_eq!(place(4), ("events.csv:9", "event_too_large"));
    assert_eq!(place(5), ("more.jsonl:3", "invalid_json"));
    assert_eq!(place(6), ("more.jsonl:4", "invalid_json"));
    assert_eq!(told[1].2, ",login,,");
}

#[test]
fn without_a_file_for_them_the_first_rejected_rows_are_shown() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let file = folder.write("events.jsonl", "nonsense\n".repeat(25));
    let ended = import(&far_end, &[&file]);
    assert_eq!((ended.code, ended.counts()), (Some(1), [25, 0, 0, 25]));
    assert_eq!(ended.stderr.matches("(invalid_json)").count(), 10, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("events.jsonl:10: expected ident at line 10, column 2"),
        "{}",
        ended.stderr
    );
    assert!(ended.stderr.contains("15 more"), "{}", ended.stderr);
}

#[test]
fn rejections_that_the_server_does_not_name_are_counted_all_the_same() {
    let (far_end, folder) = (FarEnd::with_script([Answer::RejectWithoutNames]), Folder::new());
    let file = folder.write("events.csv", logins(5));
    let ended = import(&far_end, &[&file]);
    assert_eq!((ended.code, ended.counts()), (Some(1), [5, 0, 0, 5]));
    assert!(ended.stderr.contains("rejected 5 rows between lines 2 and 6"), "{}", ended.stderr);
}

#[test]
fn it_waits_until_rows_are_stored_unless_told_not_to() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let file = folder.write("events.csv", logins(5));
    import(&far_end, &[&file]);
    import(&far_end, &[&file, "--no-wait"]);
    assert_eq!(far_end.seen(|seen| seen.query.clone()), ["wait=stored", ""]);
}

#[test]
fn columns_are_mapped_and_types_inferred_on_request() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let file =
        folder.write("events.csv", "who,what,when,price,ref\nann,buy,2026-11-01T10:00:00Z,9.90,mail\n");
    let maps = ["who=user_id", "what=event_type", "when=occurred_at", "ref=properties.referrer"];
    let maps: Vec<_> = maps.iter().flat_map(|map| ["--map", *map]).collect();
    let ended = import(&far_end, &[&[file.as_str(), "--infer-types"], &maps[..]].concat());
    assert_eq!((ended.code, ended.counts()), (Some(0), [1, 1, 0, 0]), "{}", ended.stderr);
    let event = &far_end.kept()[0];
    assert_eq!((&event["user_id"], &event["event_type"]), (&"ann".into(), &"buy".into()));
    assert_eq!(event["properties"].to_string(), r#"{"price":9.9,"referrer":"mail"}"#);
}

#[test]
fn a_file_that_cannot_be_imported_at_all_is_told_before_anything_is_sent() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let (good, bad) = (folder.write("good.csv", logins(5)), folder.write("bad.csv", "when,who\n1,2\n"));
    let missing = import(&far_end, &[&good, "no-such-file.csv"]);
    assert_eq!(missing.code, Some(2));
    assert!(missing.stderr.contains("no-such-file.csv"), "{}", missing.stderr);
    assert!(far_end.kept().is_empty());
    let header = import(&far_end, &[&bad]);
    assert_eq!(header.code, Some(2));
    assert!(header.stderr.contains("no column gives event_type"), "{}", header.stderr);
    assert!(header.stderr.contains("when, who"), "{}", header.stderr);
}

#[test]
fn standard_input_is_sniffed_and_its_compression_undone() {
    let far_end = FarEnd::start();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"{\"event_type\":\"login\",\"user_id\":\"ann\"}\n").unwrap();
    let mut child = millrace(&["import", "-", "--json", "--url", &far_end.url])
        .env("MILLRACE_INGEST_KEY", INGEST_KEY)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&gzip.finish().unwrap()).unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((&summary["read"], &summary["accepted"]), (&1.into(), &1.into()));
}

#[test]
fn a_file_that_is_cut_short_gives_what_it_has_and_an_error() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let mut zipped = zstd::encode_all(logins(100_000).as_bytes(), 1).unwrap();
    zipped.truncate(zipped.len() / 2);
    let file = folder.write("events.csv.zst", zipped);
    let ended = import(&far_end, &[&file]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("cannot read"), "{}", ended.stderr);
    let [read, accepted, ..] = ended.counts();
    assert!(read > 10_000 && read == accepted, "{read}");
    assert_eq!(far_end.kept().len() as u64, accepted);
}

#[test]
fn a_wrong_key_ends_the_import_at_once() {
    let (far_end, folder) = (FarEnd::start(), Folder::new());
    let file = folder.write("events.csv", logins(10_000));
    let ended = run(&["import", &file, "--url", &far_end.url, "--key", "mk_wrong"]);
    assert_eq!((ended.code, ended.counts()), (Some(2), [0; 4]));
    assert!(ended.stderr.contains("does not accept the key (401)"), "{}", ended.stderr);
    assert!(far_end.seen(|_| ()).len() <= 4);
}

#[test]
fn a_server_that_stays_away_ends_the_import_with_how_far_it_came() {
    let folder = Folder::new();
    let far_end = FarEnd::with_script(std::iter::repeat_n(Answer::Refuse(503, Some(9)), 9));
    let file = folder.write("events.csv", logins(10));
    let ended = import(&far_end, &[&file, "--retry-for", "2s"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.stderr.contains("nothing will be doubled"), "{}", ended.stderr);
    assert!(ended.stderr.contains("503 Service Unavailable: not today"), "{}", ended.stderr);
}

#[test]
fn trouble_on_the_way_loses_and_doubles_nothing() {
    let script = [
        Answer::Refuse(503, None),
        Answer::CutAfterKeeping,
        Answer::Refuse(413, None),
        Answer::Refuse(500, None),
        Answer::Refuse(429, Some(1)),
    ];
    let (far_end, folder) = (FarEnd::with_script(script), Folder::new());
    let file = folder.write("events.csv", logins(5_000));
    let ended = import(&far_end, &[&file]);
    let [read, accepted, duplicates, rejected] = ended.counts();
    assert_eq!(
        (ended.code, read, accepted + duplicates, rejected),
        (Some(0), 5_000, 5_000, 0),
        "{}",
        ended.stderr
    );
    assert!(duplicates <= 1_000);
    assert_eq!(far_end.kept().len(), 5_000);
}

#[test]
fn an_interruption_finishes_what_is_in_flight_and_tells_the_summary() {
    // With few rows it comes while the input has nothing to give, with many while there is much to do.
    for rows in [1_000, 50_000] {
        let far_end = FarEnd::start();
        let mut child =
            millrace(&["import", "-", "--url", &far_end.url, "--key", INGEST_KEY, "--batch", "100"])
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
        // The input stays open, so only the interruption can end the import.
        let mut input = child.stdin.take().unwrap();
        let writer = std::thread::spawn(move || {
            // The program does not read everything once it is interrupted.
            let _ = input.write_all(logins(rows).as_bytes());
            input
        });
        let deadline = Instant::now() + Duration::from_secs(30);
        while far_end.kept().len() < 1_000 {
            assert!(Instant::now() < deadline, "nothing arrives");
            std::thread::yield_now();
        }
        let interrupted = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        assert!(interrupted.unwrap().success());
        let ended = Ended::from(child.wait_with_output().unwrap());
        drop(writer.join().unwrap());
        assert_eq!(ended.code, Some(130), "{}", ended.stderr);
        let [read, accepted, ..] = ended.counts();
        assert_eq!((read, accepted), (far_end.kept().len() as u64, far_end.kept().len() as u64));
    }
}
