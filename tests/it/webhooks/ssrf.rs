//! Inner addresses are not reached, however they are spelled, unless their network is allowed.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use showtime::clock::Clock;
use showtime::outputs::webhook::endpoint::{Endpoint, Outcome, WebhookMessage};
use showtime::outputs::webhook::guard::{Lookup, system_lookup};
use showtime::outputs::webhook::secret::WebhookSecret;
use showtime::outputs::webhook::settings::WebhookSettings;
use tokio::net::TcpListener;

use super::receiver::{Receiver, Reply};

/// Networks that no webhook reaches, by an address of each.
const INNER: [[u8; 4]; 16] = [
    [127, 0, 0, 1],
    [127, 0, 0, 53],
    [127, 255, 255, 254],
    [0, 0, 0, 0],
    [10, 0, 0, 1],
    [10, 255, 255, 255],
    [172, 16, 0, 1],
    [172, 31, 255, 254],
    [192, 168, 1, 1],
    [169, 254, 169, 254],
    [100, 64, 0, 1],
    [192, 0, 0, 1],
    [198, 18, 0, 1],
    [224, 0, 0, 1],
    [240, 0, 0, 1],
    [255, 255, 255, 255],
];

/// The spellings of an address that URL parsers or resolvers accept.
fn spellings(ip: [u8; 4]) -> Vec<String> {
    let [a, b, c, d] = ip;
    let number = u32::from(Ipv4Addr::from(ip));
    let wide = |text: String| text.replace('.', "。");
    let percent = |text: String| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    vec![
        format!("{a}.{b}.{c}.{d}"),
        format!("{a}.{b}.{c}.{d}."),
        format!("{a}.{b}.{}", u32::from(c) * 256 + u32::from(d)),
        format!("{a}.{}", number & 0xff_ffff),
        number.to_string(),
        format!("{number:#x}"),
        format!("0{number:o}"),
        format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        format!("0{a:o}.0{b:o}.0{c:o}.0{d:o}"),
        wide(format!("{a}.{b}.{c}.{d}")),
        percent(format!("{a}.{b}.{c}.{d}")),
        format!("[::ffff:{a}.{b}.{c}.{d}]"),
        format!("[::{a}.{b}.{c}.{d}]"),
        format!("[64:ff9b::{a}.{b}.{c}.{d}]"),
        format!("[2002:{a:02x}{b:02x}:{c:02x}{d:02x}::1]"),
    ]
}

fn corpus() -> HashSet<String> {
    let names = [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
        "[::]",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000::0001]",
        "[fe80::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[fec0::1]",
        "[ff02::1]",
        "[100::1]",
        "[2001:db8::1]",
        "[3fff::1]",
        "[2001::1]",
        "[2001:10::1]",
        "[64:ff9b:1::7f00:1]",
        "[::ffff:0:127.0.0.1]",
        "[5f00::1]",
    ];
    let numbers = INNER.into_iter().flat_map(spellings);
    names.into_iter().map(str::to_owned).chain(numbers).collect()
}

fn endpoint(url: &str, allow: &[&str], lookup: Lookup) -> Result<Endpoint, String> {
    let allow = allow.iter().map(|net| (*net).to_owned()).collect();
    let settings = WebhookSettings { allow, ..WebhookSettings::default() };
    let url = SecretString::from(url);
    let reached = settings.guard(&url).map_err(|error| error.to_string())?;
    let made = Endpoint::new(reached, settings.content_type, WebhookSecret::new(Some(url)), Clock::default(), lookup);
    made.map_err(|failure| failure.problem)
}

async fn send(endpoint: &Endpoint) -> Outcome {
    endpoint.send(&WebhookMessage { message_id: "1".to_owned(), is_test: false, body: b"{}".to_vec() }).await
}

#[tokio::test]
async fn inner_addresses_get_no_connection_in_any_spelling() {
    let corpus = corpus();
    assert!(corpus.len() >= 200, "{}", corpus.len());
    // A listener on every address of this machine.
    let receiver = Receiver::on(TcpListener::bind("[::]:0").await.unwrap(), |_| Reply::Status(200));
    let port = receiver.addr.port();
    for host in &corpus {
        for scheme in ["https", "http"] {
            // Another network is allowed, since without any http is refused as such.
            let url = format!("{scheme}://{host}:{port}/hook-of-hunter2");
            if let Ok(endpoint) = endpoint(&url, &["10.77.0.0/16"], system_lookup) {
                let outcome = send(&endpoint).await;
                assert!(matches!(outcome, Outcome::Failed(_)), "{url}: {outcome:?}");
            }
        }
    }
    assert_eq!(receiver.connects(), 0);
    // The listener is one that they would have reached.
    for host in ["127.0.0.1", "localhost", "[::ffff:7f00:1]", "0x7f.1"] {
        let url = format!("http://{host}:{port}/hook-of-hunter2");
        let allowed = endpoint(&url, &["127.0.0.0/8", "::1/128"], system_lookup).unwrap();
        assert_eq!(send(&allowed).await, Outcome::Delivered, "{host}");
    }
}

/// Answers 127.0.0.2 at first, and 127.0.0.1 whenever it is asked again.
fn rebinding(_name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let last = if ASKED.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) { 2 } else { 1 };
    Box::pin(async move { Ok(vec![([127, 0, 0, last], 0).into()]) })
}

/// Answers with an address that is allowed and one that is not.
fn mixed(_name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async { Ok(vec![([127, 0, 0, 1], 0).into(), ([127, 0, 0, 2], 0).into()]) })
}

#[tokio::test]
async fn names_that_lead_elsewhere_at_the_next_look_up_gain_nothing() {
    let inner = Receiver::start(|_| Reply::Status(200)).await;
    let port = inner.addr.port();
    let allowed = TcpListener::bind(("127.0.0.2", port)).await.unwrap();
    // Each request needs a new connection, and so a new look-up.
    let allowed = Receiver::on(allowed, |_| Reply::CutAfter);
    let url = format!("http://rebinding.example:{port}/hook-of-hunter2");
    for (lookup, connects) in [(rebinding as Lookup, 5), (mixed, 15)] {
        let endpoint = endpoint(&url, &["127.0.0.2/32"], lookup).unwrap();
        for _ in 0..10 {
            assert!(matches!(send(&endpoint).await, Outcome::Failed(_)));
        }
        assert_eq!((inner.connects(), allowed.connects()), (0, connects));
    }
}
