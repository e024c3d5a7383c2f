-- What is done with the alerts of each channel in overlays. Does not follow from the log.
create table alert_control (
    -- The row of the empty id is that of every channel without a row of its own.
    channel_id text collate "C" primary key,
    -- Since when alerts are held back; null if they are shown.
    paused_at timestamptz,
    is_muted boolean not null default false,
    -- How many times the present alert was to end. Overlays compare it with what they knew.
    skips bigint not null default 0,
    -- Alerts up to this event are not shown any more.
    cleared_to bigint not null default 0
);

insert into alert_control (channel_id) values ('');

-- Settings of overlays that have a name: the last part of an address in OBS.
create table overlay_settings (
    name text collate "C" primary key,
    settings json not null,
    -- Overlays compare it with that of the settings that they have.
    changed_at timestamptz not null
);
