//! The way of the private cluster to a newer version of Postgres. The newer version is played by the installed one.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use crate::process::Place;
use crate::support::postgres::installed_programs;

/// Creates a directory with programs that claim to be of version 99, of which `initdb` notes that it ran. Returns the value
/// of PATH with it in front.
fn newer_programs(place: &Place) -> String {
    let (real, dir) = (installed_programs(), place.path().join("programs"));
    fs::create_dir(&dir).unwrap();
    let note = place.path().join("made");
    fs::write(&note, "").unwrap();
    fs::set_permissions(&note, Permissions::from_mode(0o666)).unwrap();
    for program in ["postgres", "initdb", "pg_dump", "pg_restore"] {
        let (path, real) = (dir.join(program), real.join(program));
        let noted = if program == "initdb" { format!("echo made >{}\n", note.display()) } else { String::new() };
        let script = format!(
            "#!/bin/sh\n[ \"$1\" != --version ] || {{ echo '{program} (PostgreSQL) 99.0'; exit; }}\n\
             {noted}exec {} \"$@\"\n",
            real.display()
        );
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    }
    format!("{}:{}", dir.display(), std::env::var_os("PATH").unwrap().into_string().unwrap())
}

#[tokio::test]
async fn cluster_moves_to_the_newest_version_with_its_data() {
    let place = Place::new();
    assert!(place.refused(&[], &["local-db", "upgrade"]).await.contains("could not find .showtime"));
    let server = place.serve(&[]).await;
    assert_eq!(server.simulate(&["channel.follow"]).await.0, Some(0));
    let events = server.list("/events").await;
    let version = fs::read_to_string(place.path().join(".showtime/postgres/PG_VERSION")).unwrap();
    let version = version.trim();
    let path = newer_programs(&place);
    let settings = [("PATH", path.as_str())];
    let said = place.refused(&settings, &["local-db", "upgrade"]).await;
    assert!(said.contains("another showtime (pid "), "{said}");
    server.stop().await;

    let said = place.done(&[], &["local-db", "upgrade"]).await;
    assert_eq!(said, format!("PostgreSQL {version} is the newest that is installed\n"));
    place.done(&[], &["local-db", "up"]).await;
    let said = place.refused(&settings, &["local-db", "upgrade"]).await;
    place.done(&[], &["local-db", "down"]).await;
    assert!(said.contains("stop it with `cargo run local-db down`"), "{said}");

    let said = place.done(&settings, &["local-db", "upgrade"]).await;
    let kept = place.path().canonicalize().unwrap().join(format!(".showtime/postgres-{version}"));
    assert!(said.starts_with(&format!("moved from PostgreSQL {version} to 99; the old cluster is kept in ")), "{said}");
    assert!(said.contains(kept.to_str().unwrap()) && kept.join("PG_VERSION").exists(), "{said}");
    assert_eq!(fs::read_to_string(place.path().join("made")).unwrap(), "made\n", "by the newer programs");
    assert!(!place.path().join(".showtime/upgrade").exists());
    assert_eq!(place.processes(), Vec::<String>::new());
    let server = place.serve(&[]).await;
    assert_eq!(server.list("/events").await, events);
    assert_eq!(server.simulate(&["channel.cheer"]).await.0, Some(0));
    server.stop().await;

    let said = place.refused(&settings, &["local-db", "upgrade"]).await;
    assert!(said.contains("could not replace") && said.contains(&format!("postgres-{version}")), "{said}");
}
