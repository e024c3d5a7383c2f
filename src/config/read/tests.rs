//! Settings that are read, and those that are refused.

use super::*;

fn with(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    config(&|name| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned()))
}

fn errors(pairs: &[(&str, &str)]) -> Vec<String> {
    match with(pairs) {
        Err(ConfigError::Settings(errors)) => errors.iter().map(ToString::to_string).collect(),
        other => panic!("expected errors, got {other:?}"),
    }
}

#[test]
fn public_address_is_https_without_a_query() {
    let is_taken = |text| with(&[("SHOWTIME_PUBLIC_URL", text)]).is_ok();
    for good in ["https://example.org", "https://example.org/showtime/", "http://localhost:5001"] {
        assert!(is_taken(good), "{good}");
    }
    for bad in ["example.org", "http://example.org", "https://a:b@example.org", "https://example.org/?a=b"] {
        assert!(!is_taken(bad), "{bad}");
    }
}

#[test]
fn empty_environment_is_a_complete_configuration() {
    let config = with(&[]).unwrap();
    assert_eq!((config.bind_addr.to_string().as_str(), config.listen_port), ("127.0.0.1", 5001));
    assert!(matches!(config.database, Database::Private));
    assert!(config.migrate);
    assert!(with(&[("LISTEN_PORT", ""), ("TWITCH_WEBHOOK_SECRET", " ")]).is_ok(), "empty means not set");
}

#[test]
fn types_are_named_singly_by_pattern_and_by_preset_and_come_once() {
    let types = |text| with(&[("TWITCH_EVENTSUB_TYPES", text)]).unwrap().twitch.extra_types;
    let names: Vec<_> = types("channel.poll.*, channel.poll.end ,channel.ban").iter().map(|it| &it.name).collect();
    assert_eq!(names, ["channel.poll.begin", "channel.poll.end", "channel.poll.progress", "channel.ban"]);
    assert!(types("alerts,chat").len() > 30 && types("all").len() > types("alerts,chat,moderation").len());
    assert_eq!(
        errors(&[("TWITCH_EVENTSUB_TYPES", "chat,channel.fellow")]),
        [
            r#"TWITCH_EVENTSUB_TYPES is "chat,channel.fellow", but Twitch has no type `channel.fellow` (did you mean channel.follow?)"#
        ]
    );
}

#[test]
fn wrong_values_are_reported_together() {
    assert_eq!(
        errors(&[("BIND_ADDR", "localhost"), ("LISTEN_PORT", "70000"), ("SHOWTIME_LOG_FORMAT", "xml")]),
        [
            r#"BIND_ADDR is "localhost", but must be an IP address, such as 127.0.0.1"#,
            r#"LISTEN_PORT is "70000", but must be a port from 0 to 65535"#,
            r#"SHOWTIME_LOG_FORMAT is "xml", but must be human or json"#,
        ]
    );
}

#[test]
fn wrong_secret_is_named_but_not_shown() {
    let wrong = [
        ("DATABASE_URL", "mysql://me:hunter2@host/db"),
        ("TWITCH_WEBHOOK_SECRET", "hunter2"),
        ("TWITCH_CLIENT_SECRET", "hunter2"),
        ("SHOWTIME_AMQP_URL", "http://me:hunter2@host"),
    ];
    let errors = errors(&wrong);
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors.iter().all(|error| !error.contains("hunter2")), "{errors:?}");
}

#[test]
fn address_with_a_password_is_named_but_not_shown() {
    let names = [
        "SHOWTIME_PUBLIC_URL",
        "SHOWTIME_CORS_ORIGINS",
        "TWITCH_WEBHOOK_CALLBACK_URL",
        "TWITCH_EVENTSUB_WEBSOCKET_URL",
        "TWITCH_IRC_URL",
        "TWITCH_API_URL",
    ];
    for address in
        ["http://me:hunter2@host", "ws://me:hunter2@host/ws", "https://me:hunter2@host:port", "me:hunter2@host"]
    {
        let errors = errors(&names.map(|name| (name, address)));
        assert_eq!(errors.len(), names.len(), "{errors:?}");
        assert!(names.iter().all(|name| errors.iter().any(|error| error.starts_with(name))), "{errors:?}");
        assert!(errors.iter().all(|error| !error.contains("hunter2")), "{errors:?}");
    }
    assert_eq!(
        errors(&[("SHOWTIME_PUBLIC_URL", "https://me:hunter2@host")]),
        ["SHOWTIME_PUBLIC_URL must have no ?query, no #fragment and no password in it"]
    );
}

#[test]
fn debug_output_shows_no_secret() {
    let config = with(&[
        ("DATABASE_URL", "postgres://me:hunter2hunter2@host/db"),
        ("TWITCH_WEBHOOK_SECRET", "hunter2hunter2"),
        ("TWITCH_CLIENT_ID", "id"),
        ("TWITCH_CLIENT_SECRET", "hunter2hunter2"),
        ("SHOWTIME_AMQP_URL", "amqp://me:hunter2@host"),
    ]);
    let shown = format!("{:?}", config.unwrap());
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn callback_url_is_one_that_twitch_can_call() {
    for good in ["https://example.org/callback", "http://localhost:5001/callback", "http://127.0.0.1:5001/callback"] {
        assert!(callback_url(good).is_ok(), "{good}");
    }
    for bad in ["example.org", "http://example.org/callback", "https://example.org:8443/callback", "https://e.org/#x"] {
        assert!(callback_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn transport_is_chosen_by_the_callback_url_unless_it_is_set() {
    let url = ("TWITCH_WEBHOOK_CALLBACK_URL", "https://example.org/callback");
    let transport = |pairs: &[(&str, &str)]| with(pairs).unwrap().twitch.transport();
    assert_eq!(transport(&[]), TransportKind::Websocket);
    assert_eq!(transport(&[url]), TransportKind::Webhook);
    assert_eq!(transport(&[url, ("TWITCH_EVENTSUB_TRANSPORT", "auto")]), TransportKind::Webhook);
    assert_eq!(transport(&[url, ("TWITCH_EVENTSUB_TRANSPORT", "websocket")]), TransportKind::Websocket);
    assert_eq!(transport(&[("TWITCH_EVENTSUB_TRANSPORT", "webhook")]), TransportKind::Webhook);
    assert_eq!(
        errors(&[("TWITCH_EVENTSUB_TRANSPORT", "conduit")]),
        [r#"TWITCH_EVENTSUB_TRANSPORT is "conduit", but must be auto, webhook or websocket"#]
    );
}

#[test]
fn websocket_url_is_secure_or_leads_to_this_machine() {
    for good in ["wss://eventsub.wss.twitch.tv/ws", "wss://127.0.0.1:1/ws", "ws://localhost:8080/ws", "ws://[::1]/ws"] {
        assert!(websocket_url(good).is_ok(), "{good}");
    }
    for bad in ["ws://eventsub.wss.twitch.tv/ws", "https://example.org/ws", "wss://me:pw@example.org/ws", "ws"] {
        assert!(websocket_url(bad).is_err(), "{bad}");
    }
}

#[test]
fn any_rate_is_for_a_fake_discord_alone() {
    assert_eq!(with(&[]).unwrap().tracking.discord_rate, 45);
    assert_eq!(with(&[]).unwrap().tracking.token_ttl, Duration::from_secs(72 * 3_600));
    let fake = ("DISCORD_API_URL", "http://127.0.0.1:8081/api/v10");
    assert_eq!(with(&[fake, ("SHOWTIME_DISCORD_RATE", "0")]).unwrap().tracking.discord_rate, 0);
    assert_eq!(errors(&[("SHOWTIME_DISCORD_RATE", "0")]).len(), 1);
    for wrong in ["", "59s", "366d", "soon"] {
        assert_eq!(with(&[("SHOWTIME_BOT_TOKEN_TTL", wrong)]).is_err(), !wrong.is_empty(), "{wrong}");
    }
    assert_eq!(
        errors(&[("DISCORD_API_URL", "http://discord.com/api/v10")]),
        [
            r#"DISCORD_API_URL is "http://discord.com/api/v10", but must be an address like https://discord.com/api/v10 (http only for loopback)"#
        ]
    );
}

#[test]
fn origin_has_the_form_that_browsers_send() {
    assert_eq!(origins("https://a.example, http://localhost:8080").unwrap().len(), 2);
    assert_eq!(origins("*").unwrap(), ["*"]);
    for bad in ["https://a.example/", "a.example", "https://A.example", "https://a.example:443", "*, https://a.example"]
    {
        assert!(origins(bad).is_err(), "{bad}");
    }
}

#[test]
fn pg_variables_name_a_database() {
    let config = with(&[("PGHOST", "db.example.org"), ("PGPORT", "6000"), ("PGDATABASE", "events")]).unwrap();
    let Database::Given(options) = config.database else { panic!("a given database") };
    assert_eq!(
        (options.get_host(), options.get_port(), options.get_database()),
        ("db.example.org", 6000, Some("events"))
    );
    assert_eq!(errors(&[("PGHOST", "h"), ("PGPORT", "x")]), [r#"PGPORT is "x", but must be a port from 0 to 65535"#]);
    let alone = [
        ("PGHOST", "h"),
        ("PGPORT", "6000"),
        ("PGDATABASE", "d"),
        ("PGUSER", "u"),
        ("PGPASSWORD", "p"),
        ("PGSSLMODE", "verify-full"),
    ];
    for part in alone {
        assert!(matches!(with(&[part]).unwrap().database, Database::Given(_)), "{part:?}");
    }
}
