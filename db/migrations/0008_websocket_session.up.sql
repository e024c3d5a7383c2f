-- The WebSocket sessions with Twitch: one for each user whose channel is served over WebSocket. Does not follow from the log.
create table websocket_session (
    -- Twitch's id of the user whose token creates the subscriptions; the id of the channel, too.
    user_id text collate "C" primary key,
    -- The server that keeps the connection: random, another one at each start. Only it writes the columns of the session.
    holder bigint not null,
    -- By the database's clock. Renewed while the server runs; afterwards another server takes over.
    lease_until timestamptz not null,
    -- Twitch's id of the session; null while there is none.
    session_id text collate "C",
    -- When the session began: a connection that was moved at Twitch's request keeps this time.
    connected_at timestamptz,
    -- Up to when all messages were kept at the last renewal of the lease, keepalives included: where a gap begins if the
    -- server is killed. Stays until a gap is recorded.
    last_message_at timestamptz,
    -- When the last session ended, and why: the close code, and words.
    ended_at timestamptz,
    ended_reason text,
    -- How often a connection replaced another one.
    reconnects integer not null default 0,
    -- When all that is wanted first existed on this session; null before. Written by the reconciler.
    subscribed_at timestamptz,
    -- Why subscribing failed, in words; null if it did not. Written by the reconciler.
    problem text
);

-- The ids of earlier sessions. Subscriptions on them may still count as enabled: Twitch notices a dead connection late.
create table websocket_earlier_session (
    session_id text collate "C" primary key,
    user_id text collate "C" not null,
    ended_at timestamptz not null
);
