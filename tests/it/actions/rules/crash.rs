//! A transaction of the reactor that ends in its middle: all of it happens once, by the next holder or attempt.

use sqlx::{Connection as _, PgConnection};

use super::super::Place;
use super::{apply, deliver, judged, line, quiet, said, serve};
use crate::support::until;

/// Rows are written before counters, so a lock on these stops the transaction in its middle.
const RULES: &str = r#"
    [[rule]]
    name = "go"
    command = "!go"
    cooldown = { user = "1s" }
    do = [{ count = "goes" }, { say = "go {{ counter.goes }}" }]
"#;

#[tokio::test]
async fn transaction_that_is_killed_in_its_middle_is_done_again_with_the_same_result() {
    let place = Place::new().await;
    let server = serve(&place).await;
    apply(&server, RULES).await;
    judged(&server).await;
    let mut other = PgConnection::connect_with(&place.database).await.unwrap();
    let mut lock = other.begin().await.unwrap();
    sqlx::query("lock table counter in exclusive mode").execute(&mut *lock).await.unwrap();
    deliver(&server, &line(&server, "m1", "!go", "")).await;
    let kill = "select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and application_name = 'showtime followers' and wait_event_type = 'Lock'";
    for _ in 0..3 {
        until("the reactor waits for the lock, and is killed", async || {
            !sqlx::query(kill).fetch_all(&server.pool).await.unwrap().is_empty()
        })
        .await;
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from action").fetch_one(&server.pool).await.unwrap();
    assert_eq!(rows, 0, "nothing of it is there");
    lock.rollback().await.unwrap();
    quiet(&server).await;
    assert_eq!(said(&place), ["go 1"]);
    let statement = "select kind || ' ' || state from action order by id";
    let rows: Vec<String> = sqlx::query_scalar(statement).fetch_all(&server.pool).await.unwrap();
    assert_eq!(rows, ["count done", "say done"]);
    server.stop().await;
}
