//! A broker with a certificate of an own CA.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::json;

use super::rabbit::Rabbit;
use super::{append, until_problem, until_state};
use crate::support::server::Server;
use crate::support::until;

/// A CA that signs certificates for this machine.
fn ca() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

#[tokio::test]
async fn broker_is_trusted_by_its_own_ca_only() {
    let Some(mut rabbit) = Rabbit::start().await else { return };
    let (ca, other) = (ca(), ca());
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &ca).unwrap();
    let port = rabbit.restart_with_tls(&certificate.pem(), &key.serialize_pem()).await;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let url = |host: &str| format!("amqps://guest:guest@{host}:{port}/%2f");
    let server = Server::start().await;
    let trusted = file("ca.pem", &ca.pem());
    for (name, url, ca_file) in [
        ("trusted", url("localhost"), Some(trusted.clone())),
        ("unknown", url("localhost"), None),
        ("other", url("localhost"), Some(file("other.pem", &other.pem()))),
        ("host", url("127.0.0.1"), Some(trusted)),
        ("empty", url("localhost"), Some(file("empty.pem", "no certificate"))),
        ("missing", url("localhost"), Some(dir.path().join("missing.pem"))),
    ] {
        let sink = json!({ "name": name, "url": url, "settings": { "ca_file": ca_file } });
        let answer = server.post_json("/sinks", &sink).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    until_state(&server, "trusted", "ok").await;
    append(&server.pool, 10).await;
    until("all were published", async || server.json("/sinks/trusted").await["cursor"] == 10).await;
    for name in ["unknown", "other", "host"] {
        until_problem(&server, name, "is not trusted").await;
        until_problem(&server, name, "in `ca_file`").await;
    }
    until_problem(&server, "empty", "empty.pem, can't be read (it holds no certificate in PEM)").await;
    until_problem(&server, "missing", "missing.pem, can't be read (No such file").await;
}
