//! Tables `baseline_…`: what the events add up to whose payloads are gone, and with which a rebuild begins.
//!
//! The projection knows the tables of the state by their names. While temporary views with these names lead to the tables
//! of the baseline, it writes there instead.

use sqlx::{Connection as _, PgConnection};

use super::project;
use crate::projection::State;
use crate::store::{LogId, log};
use crate::twitch::id::UserId;

/// Adds these events to the baseline, without what they say about a user, if one is given. The caller holds
/// [`Lock::Baseline`](crate::store::locks::Lock), and empties or deletes the events in the same transaction.
pub(in crate::store) async fn absorb(
    conn: &mut PgConnection,
    ids: &[LogId],
    without: Option<&UserId>,
) -> sqlx::Result<()> {
    let mut facts = log::facts(conn, ids).await?;
    let mut changes = State::from_facts(&facts);
    if let Some(id) = without {
        changes.forget(id);
        facts.retain(|fact| fact.content.channel_id.as_ref() != Some(&id.channel()));
    }
    enter(conn).await?;
    project(conn, &changes, &facts).await?;
    leave(conn).await
}

/// Copies the baseline into the empty tables of the state.
pub(super) async fn copy_to_state(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "with users as (insert into twitch_user select * from baseline_twitch_user),
            logins as (insert into channel_login select * from baseline_channel_login),
            channels as (insert into channel select * from baseline_channel),
            viewers as (insert into viewer select * from baseline_viewer),
            activities as (insert into activity select * from baseline_activity),
            events as (insert into told select * from baseline_told),
            subscriptions as (insert into subscription select * from baseline_subscription),
            streams as (insert into stream select * from baseline_stream),
            ends as (insert into stream_end select * from baseline_stream_end)
        insert into segment select * from baseline_segment"
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Makes statements on the state's tables mean those of the baseline, until [`leave`] or the end of the transaction.
pub(in crate::store) async fn enter(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "do $$ begin
            create temporary view twitch_user as select * from baseline_twitch_user;
            create temporary view channel_login as select * from baseline_channel_login;
            create temporary view channel as select * from baseline_channel;
            create temporary view viewer as select * from baseline_viewer;
            create temporary view activity as select * from baseline_activity;
            create temporary view told as select * from baseline_told;
            create temporary view subscription as select * from baseline_subscription;
            create temporary view stream as select * from baseline_stream;
            create temporary view stream_end as select * from baseline_stream_end;
            create temporary view segment as select * from baseline_segment;
        end $$"
    )
    .execute(&mut *conn)
    .await?;
    // Prepared statements keep the tables that they were prepared with.
    conn.clear_cached_statements().await
}

/// Ends what [`enter`] began.
pub(in crate::store) async fn leave(conn: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "drop view pg_temp.twitch_user, pg_temp.channel_login, pg_temp.channel, pg_temp.viewer, pg_temp.activity, pg_temp.told, pg_temp.subscription,
            pg_temp.stream, pg_temp.stream_end, pg_temp.segment"
    )
    .execute(&mut *conn)
    .await?;
    conn.clear_cached_statements().await
}
