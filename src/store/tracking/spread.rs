//! Makes the posts of an announcement, and marks them when it has changed. Destinations are locked before their posts, in
//! order, so that servers that do so at the same time wait for each other only.

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::announcements::Spread;

/// Between two edits of a message; the second counts when it is older than an hour, since Discord lets these be edited less often.
const EDIT_PAUSES: [f64; 2] = [60.0, 300.0];

/// What became of a part.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Posts that were made or will be edited.
    pub due: u64,
    /// Posts that are not worth making any more.
    pub expired: u64,
}

/// Keeps others from these destinations until the transaction ends.
///
/// # Errors
/// If the database fails.
pub async fn lock(conn: &mut PgConnection, destinations: &[i64]) -> sqlx::Result<()> {
    let locked =
        sqlx::query!("select id from destination where id = any($1) order by id for no key update", destinations);
    locked.fetch_all(conn).await?;
    Ok(())
}

/// Makes posts for these destinations, in this order, `pause` seconds apart.
///
/// # Errors
/// If the database fails.
pub async fn add(
    conn: &mut PgConnection,
    spread: &Spread,
    destinations: &[i64],
    pause: f64,
    now: OffsetDateTime,
) -> sqlx::Result<Reached> {
    lock(&mut *conn, destinations).await?;
    let added = sqlx::query!(
        r#"insert into post (stream_id, destination_id, wanted_at, next_at)
        select $1, due.id, $3, $3::timestamptz + make_interval(secs => ($4::float8 + due.place - 1) * $5::float8)
        from unnest($2::bigint[]) with ordinality as due (id, place)
        join destination on destination.id = due.id and destination.state <> 'gone'
        on conflict (stream_id, destination_id, kind) do nothing
        returning destination_id, next_at as "next_at!""#,
        spread.stream_id.as_str(),
        destinations,
        spread.spread_at,
        f64::from(spread.spread_count),
        pause
    );
    let due: Vec<_> =
        added.fetch_all(&mut *conn).await?.into_iter().map(|row| (row.destination_id, row.next_at)).collect();
    wake(conn, &due, now).await?;
    Ok(Reached { due: due.len() as u64, expired: 0 })
}

/// Marks the posts in these destinations that show an older revision. Posts about the start that were not made are, if the
/// broadcast goes on, and are not any more if it has ended.
///
/// # Errors
/// If the database fails.
pub async fn mark(
    conn: &mut PgConnection,
    spread: &Spread,
    destinations: &[i64],
    pause: f64,
    now: OffsetDateTime,
) -> sqlx::Result<Reached> {
    lock(&mut *conn, destinations).await?;
    let [edit, old_edit] = EDIT_PAUSES;
    let marked = sqlx::query!(
        r#"update post set
            state = case post.state when 'pending' then 'expired' when 'posted' then 'posted' else 'pending' end,
            problem = case post.state when 'posted' then post.problem end,
            wanted_at = case when post.state in ('expired', 'filtered') then $7 else post.wanted_at end,
            next_at = case
                when post.state = 'pending' then null
                when post.state <> 'posted' or $3 then due.at
                else greatest(due.at, post.edited_at + make_interval(secs =>
                    case when post.posted_at < $4::timestamptz - interval '1 hour' then $5::float8 else $6::float8 end))
            end
        from (
            select own.id, $7::timestamptz + make_interval(secs => ($8::float8 + place - 1) * $9::float8) as at
            from unnest($2::bigint[]) with ordinality as each (id, place)
                join destination on destination.id = each.id and destination.state <> 'gone'
                cross join lateral (
                    select id from post where post.stream_id = $1 and post.destination_id = each.id offset 0
                ) as own
        ) as due
        where post.id = due.id and (
            post.state = 'posted' and post.have_revision < $10
            or post.kind = 'start'
                and case when $3 then post.state = 'pending' else post.state in ('expired', 'filtered') end)
        returning post.destination_id, post.next_at"#,
        spread.stream_id.as_str(),
        destinations,
        spread.is_ended,
        now,
        old_edit,
        edit,
        spread.spread_at,
        f64::from(spread.spread_count),
        pause,
        spread.revision
    );
    let marked = marked.fetch_all(&mut *conn).await?;
    let due: Vec<_> = marked.iter().filter_map(|row| Some((row.destination_id, row.next_at?))).collect();
    wake(conn, &due, now).await?;
    Ok(Reached { due: due.len() as u64, expired: (marked.len() - due.len()) as u64 })
}

/// Brings the next request of destinations forward to these times. Those with a request under way are looked at when it ends.
pub(super) async fn wake(
    conn: &mut PgConnection,
    due: &[(i64, OffsetDateTime)],
    now: OffsetDateTime,
) -> sqlx::Result<()> {
    let (ids, times): (Vec<_>, Vec<_>) = due.iter().copied().unzip();
    sqlx::query!(
        "update destination set
            next_at = least(destination.next_at, greatest(due.at, destination.not_before)),
            is_edit_next = coalesce((
                select bool_and(state <> 'pending' or kind <> 'start') from post
                where post.destination_id = destination.id and post.next_at is not null
            ), true)
        from (
            select id, min(at) as at from unnest($1::bigint[], $2::timestamptz[]) as each (id, at) group by id
        ) as due
        where destination.id = due.id and (destination.leased_until is null or destination.leased_until <= $3)",
        &ids,
        &times,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}
