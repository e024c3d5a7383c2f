//! Secrets are neither shown, logged nor stored in plain text. These tests configure recognisable secrets (canaries), let the
//! programs succeed and fail in many ways, and search all output and files for the canaries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use secrecy::ExposeSecret as _;
use showtime::http::Http;
use showtime::mock::{Faults, MockConfig, Notify};
use showtime::postgres::{create_data_dir, join};
use showtime::twitch::oauth::OAuth;
use sqlx::postgres::PgConnectOptions;
use tokio::time::timeout;

use super::{INIT, Scene, free_port};
use crate::process::{SERVER, SIMULATE, Serving};
use crate::support::PATIENCE;
use crate::support::postgres::{dump, url};
use crate::support::twitch::{credentials, quick_retries};

/// Not a secret: each searched place must contain it, which proves that the search works there.
const CONTROL: &str = "canarycontrol";

const CLIENT_SECRET: &str = "CanaryOfTheClient7q";
const WEBHOOK_SECRET: &str = "CanaryOfTheWebhook7q";
const PREVIOUS_SECRET: &str = "CanaryOfThePrevious7q";
const PASSWORD: &str = "CanaryOfThePassword7q";
const KEY: &str = "ca9a71e05ec4e7ca9a71e05ec4e7ca9a71e05ec4e7ca9a71e05ec4e7ca9a71e0";
/// The prefix of every access token, refresh token and authorization code.
const TOKENS: &str = "canaryoftokens7q";

/// Finds texts, also in hexadecimal and in base64.
struct Search {
    automaton: AhoCorasick,
    /// The secret of each pattern.
    names: Vec<&'static str>,
}

/// The encodings of these bytes, also within a longer encoded text.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![secret.to_vec(), hex::encode(secret).into_bytes(), hex::encode_upper(secret).into_bytes()];
    for engine in [STANDARD, URL_SAFE] {
        for before in 0..3 {
            let encoded = engine.encode([vec![0; before], secret.to_vec()].concat());
            // Without the digits that depend on what stands before or after.
            let (begin, end) = ((before * 8).div_ceil(6), (before + secret.len()) * 8 / 6);
            forms.push(encoded.as_bytes()[begin..end].to_vec());
        }
    }
    forms
}

impl Search {
    fn new() -> Self {
        let key = hex::decode(KEY).unwrap();
        let texts = [CLIENT_SECRET, WEBHOOK_SECRET, PREVIOUS_SECRET, PASSWORD, KEY, TOKENS, CONTROL];
        let secrets = texts.into_iter().map(|text| (text, text.as_bytes())).chain([(KEY, &key[..16])]);
        let (names, patterns): (Vec<_>, Vec<_>) =
            secrets.flat_map(|(name, secret)| forms(secret).into_iter().map(move |form| (name, form))).unzip();
        Self { automaton: AhoCorasick::new(patterns).unwrap(), names }
    }

    fn find(&self, text: &[u8]) -> BTreeSet<&'static str> {
        self.automaton.find_overlapping_iter(text).map(|found| self.names[found.pattern().as_usize()]).collect()
    }
}

/// All output, by place.
#[derive(Default)]
struct Seen(BTreeMap<String, Vec<u8>>);

impl Seen {
    fn add(&mut self, place: &str, text: impl AsRef<[u8]>) {
        let place = self.0.entry(place.to_owned()).or_default();
        place.extend_from_slice(text.as_ref());
        place.push(b'\n');
    }

    /// Fails the test if any place has a secret, or one of the expected places lacks the control.
    fn check(&self, expected: &[&str]) {
        let search = Search::new();
        let mut controlled = BTreeSet::new();
        for (place, text) in &self.0 {
            let mut found = search.find(text);
            if found.remove(CONTROL) {
                controlled.insert(place.as_str());
            }
            assert!(found.is_empty(), "{found:?} in {place}");
        }
        let unseen: Vec<_> = expected.iter().filter(|place| !controlled.contains(*place)).collect();
        assert!(unseen.is_empty(), "the search finds nothing in {unseen:?}");
    }

    /// Runs a program to its end, with some settings changed. Returns whether it succeeded.
    async fn run(&mut self, scene: &Scene, program: &str, changes: &[(&'static str, &str)], args: &[&str]) -> bool {
        let mut settings: BTreeMap<_, _> = scene.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        settings.extend(changes.iter().copied());
        let settings: Vec<_> = settings.into_iter().filter(|(_, value)| !value.is_empty()).collect();
        let output = scene.place.command(program, &settings, args).output();
        let output = timeout(PATIENCE, output).await.expect("it ends").unwrap();
        self.add(program.rsplit('/').next().unwrap(), [output.stdout, output.stderr].concat());
        output.status.success()
    }

    /// Runs `init`, and presses this button on the consent page. Returns the exit code.
    async fn init(&mut self, scene: &Scene, args: &[&str], button: &str) -> Option<i32> {
        let attend = async |url: &str, _: &str| {
            scene.press(button, url, CONTROL).await;
        };
        let said = scene.attended(args, attend).await;
        self.add("init", format!("{}{}", said.out, said.err));
        said.code
    }

    async fn get(&mut self, scene: &Scene, url: &str, token: Option<&str>) {
        let request = scene.browser.get(url);
        let request = token.into_iter().fold(request, |request, token| request.bearer_auth(token));
        let answer = request.send().await.unwrap();
        self.add("HTTP", format!("{:?}", answer.headers()));
        self.add("HTTP", answer.bytes().await.unwrap());
    }

    /// Adds every file except those that keep a secret.
    fn files(&mut self, dir: &Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let is_secret = path.ends_with("webhook-secret") || path.ends_with("encryption-key");
            match path.symlink_metadata().unwrap().file_type() {
                kind if kind.is_dir() => self.files(&path),
                kind if kind.is_file() && !is_secret => self.add("files", std::fs::read(&path).unwrap()),
                _ => {}
            }
        }
    }
}

/// A fake Twitch with canaries, and programs with the most verbose log.
async fn scene() -> Scene {
    let mut scene = Scene::with(MockConfig {
        client_secret: CLIENT_SECRET.to_owned(),
        token_prefix: TOKENS.to_owned(),
        channels: vec![CONTROL.to_owned()],
        ..MockConfig::default()
    })
    .await;
    for (name, value) in [
        ("SHOWTIME_LOG", "trace"),
        ("TWITCH_CHANNEL_NAME", CONTROL),
        ("TWITCH_WEBHOOK_SECRET", WEBHOOK_SECRET),
        ("TWITCH_WEBHOOK_SECRET_PREVIOUS", PREVIOUS_SECRET),
        ("SHOWTIME_ENCRYPTION_KEY", KEY),
    ] {
        scene.settings.insert(name, value.to_owned());
    }
    let url = url(&scene.database, PASSWORD);
    scene.settings.insert("DATABASE_URL", url);
    scene
}

/// Lets a server, `init` and `simulate` succeed and fail together.
async fn exercise(scene: &Scene, server: &Serving<'_>, seen: &mut Seen) {
    let world = &scene.twitch.mock.world;
    assert_eq!(seen.init(scene, &["check"], "deny").await, Some(1));
    assert_eq!(seen.init(scene, &[], "deny").await, Some(1));
    assert_eq!(seen.init(scene, &[], "consent").await, Some(0));
    world.go_live(CONTROL, Notify::Yes).unwrap();
    world.follow(CONTROL, "quietotter").unwrap();
    let target = server.url("/callback");
    let simulate = async |seen: &mut Seen, args: &[&str], target: &str| {
        let args = [&["channel.follow", "--broadcaster", CONTROL, "--target", target], args].concat();
        seen.run(scene, SIMULATE, &[], &args).await
    };
    assert!(simulate(seen, &[], &target).await);
    assert!(simulate(seen, &["--secret", PREVIOUS_SECRET], &target).await);
    assert!(simulate(seen, &["--fault", "bad-signature"], &target).await);
    assert!(!simulate(seen, &["--secret", "a secret without an owner"], &target).await);
    assert!(!simulate(seen, &[], &format!("http://127.0.0.1:{}/callback", free_port())).await);

    world.end_app_tokens();
    world.set_faults(Faults { fail_next_oauth: 2, fail_next_helix: 2, ..Faults::default() }).unwrap();
    assert_eq!(seen.init(scene, &["check"], "deny").await, Some(0));
    world.set_faults(Faults { token_revoked: 1.0, ..Faults::default() }).unwrap();
    assert_eq!(seen.init(scene, &["check"], "deny").await, Some(1));
    world.set_faults(Faults::default()).unwrap();
    world.withdraw_consent(CONTROL).unwrap();
    assert_eq!(seen.init(scene, &[], "deny").await, Some(1));
    for path in [
        "/livez",
        "/readyz",
        "/status",
        "/channels",
        "/channels/canarycontrol",
        "/channels/canarycontrol/viewers",
        "/channels/canarycontrol/broadcasts",
        "/events",
        "/openapi.json",
        "/docs/",
        "/nowhere",
        "/channels?limit=x",
    ] {
        seen.get(scene, &server.url(path), None).await;
        seen.get(scene, &server.url(path), server.token.as_deref()).await;
    }
    assert_eq!(seen.init(scene, &[], "consent").await, Some(0));
    let refused = scene.browser.post(server.url("/callback")).body("{}").send().await.unwrap();
    seen.add("HTTP", refused.bytes().await.unwrap());
    let (auth_url, clock) = (scene.twitch.mock.auth_url(), scene.twitch.clock.clone());
    let http = Http::new(quick_retries(), clock).unwrap();
    let oauth = OAuth::new(credentials(world.config()), &auth_url, http);
    let token = oauth.app_token().await.unwrap();
    assert!(token.access_token.expose_secret().starts_with(TOKENS), "tokens can be recognised");
}

/// Runs the programs with invalid settings.
async fn misconfigure(scene: &Scene, seen: &mut Seen) {
    let too_long = WEBHOOK_SECRET.repeat(6);
    let wrong_key = format!("{KEY}0");
    let wrong_secret = format!("{CLIENT_SECRET}x");
    let nowhere = format!("postgres://{CONTROL}:{PASSWORD}@127.0.0.1:{}/{CONTROL}", free_port());
    for change in [
        ("TWITCH_WEBHOOK_SECRET", too_long.as_str()),
        ("TWITCH_WEBHOOK_SECRET_PREVIOUS", too_long.as_str()),
        ("SHOWTIME_ENCRYPTION_KEY", wrong_key.as_str()),
        ("DATABASE_URL", &nowhere.replace("@127.0.0.1", "@ ")),
        ("DATABASE_URL", &nowhere.replace("postgres:", "mysql:")),
        ("TWITCH_CLIENT_ID", ""),
    ] {
        assert!(!seen.run(scene, SERVER, &[change], &["migrate", "status"]).await, "{}", change.0);
        assert!(!seen.run(scene, INIT, &[change], &["check"]).await, "{}", change.0);
    }
    for change in [("DATABASE_URL", nowhere.as_str()), ("TWITCH_CLIENT_SECRET", &wrong_secret)] {
        assert!(!seen.run(scene, INIT, &[change], &["check"]).await, "{}", change.0);
    }
    assert!(!seen.run(scene, SERVER, &[("DATABASE_URL", &nowhere)], &["migrate", "status"]).await);
    let line = format!("TWITCH_CLIENT_SECRET=\"{CLIENT_SECRET}\nTWITCH_WEBHOOK_SECRET='{WEBHOOK_SECRET}");
    std::fs::write(scene.place.path().join(".env"), line).unwrap();
    assert!(!seen.run(scene, SERVER, &[], &["migrate", "status"]).await);
    assert!(!seen.run(scene, SIMULATE, &[], &["stream.online"]).await);
    std::fs::remove_file(scene.place.path().join(".env")).unwrap();
}

/// The output of a server and of the programs that use it, with the contents of its database.
async fn observe(scene: &Scene, database: impl AsyncFnOnce() -> PgConnectOptions) -> Seen {
    let mut seen = Seen::default();
    let settings: Vec<_> = scene.settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let server = scene.place.serve(&settings).await;
    exercise(scene, &server, &mut seen).await;
    seen.add("dump", dump(&database().await).await);
    seen.add("log", server.stop().await);
    seen
}

#[tokio::test]
async fn no_secret_gets_out_with_a_given_database() {
    let scene = scene().await;
    let mut seen = observe(&scene, async || scene.database.clone()).await;
    misconfigure(&scene, &mut seen).await;
    seen.files(scene.place.path());
    seen.check(&["HTTP", "dump", "init", "log", "simulate"]);
}

#[tokio::test]
async fn no_secret_gets_out_with_a_private_database_and_secrets_in_files() {
    let mut scene = scene().await;
    let data_dir = create_data_dir(&scene.place.path().join(".showtime")).unwrap();
    for (name, file) in [("TWITCH_WEBHOOK_SECRET", "webhook-secret"), ("SHOWTIME_ENCRYPTION_KEY", "encryption-key")] {
        std::fs::write(data_dir.join(file), scene.settings.remove(name).unwrap()).unwrap();
    }
    scene.settings.remove("DATABASE_URL");
    let mut seen = observe(&scene, async || join(&data_dir).await.unwrap()).await;
    seen.files(scene.place.path());
    seen.check(&["HTTP", "dump", "files", "init", "log", "simulate"]);
}

#[test]
fn secret_is_found_in_every_encoding() {
    let search = Search::new();
    let key = hex::decode(KEY).unwrap();
    for (name, secret) in [(TOKENS, TOKENS.as_bytes()), (KEY, KEY.as_bytes()), (KEY, &key)] {
        for (before, after) in [("", ""), ("a", "bc"), ("ab", "c"), ("abc", ":"), ("user:", "9f")] {
            let text = [before.as_bytes(), secret, after.as_bytes()].concat();
            let (standard, url_safe) = (STANDARD.encode(&text), URL_SAFE.encode(&text));
            for written in [
                text.clone(),
                hex::encode(&text).into(),
                hex::encode_upper(&text).into(),
                standard.into(),
                url_safe.into(),
            ] {
                let around = [b"<<".as_slice(), &written, b">>"].concat();
                assert_eq!(search.find(&around), BTreeSet::from([name]), "{around:?}");
            }
        }
    }
    assert_eq!(search.find(b"CanaryOfTheClient"), BTreeSet::new());
}

#[test]
#[should_panic(expected = "in dump")]
fn visible_secret_fails_the_test() {
    let mut seen = Seen::default();
    seen.add("dump", format!("{CONTROL}\n(app,\\x{})", hex::encode(format!("{TOKENS}0123"))));
    seen.check(&["dump"]);
}

#[test]
#[should_panic(expected = "the search finds nothing in [\"log\"]")]
fn place_without_the_control_fails_the_test() {
    let mut seen = Seen::default();
    seen.add("log", "nothing");
    seen.check(&["log"]);
}
