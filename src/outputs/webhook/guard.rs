//! Keeps webhooks from reaching inner addresses, such as other services of this machine or a cloud's metadata.
//!
//! An address is checked where it is used: in the resolver of the HTTP client, whose answer the connection is made to. So
//! a name that leads elsewhere at the next look-up (DNS rebinding) gains nothing.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, Url};
use url::Host;

use crate::http;

/// Time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Networks of [IPv4](https://www.iana.org/assignments/iana-ipv4-special-registry) that are no one host's on the internet:
/// this network, private, shared, loopback, link-local, protocol assignments, documentation, 6to4 relays, benchmarks,
/// multicast, reserved, and broadcast.
const INNER_V4: [&str; 15] = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
];

/// What is given out of [IPv6](https://www.iana.org/assignments/ipv6-address-space): all else is local, multicast or unused.
const GLOBAL_V6: &str = "2000::/3";

/// Parts of it that are no one host's: protocol assignments (Teredo among them), documentation, and 6to4, which holds an
/// address of IPv4 and is [no longer used](https://www.rfc-editor.org/rfc/rfc7526).
const INNER_V6: [&str; 4] = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

/// The prefix by which hosts without IPv4 [reach it](https://www.rfc-editor.org/rfc/rfc6052#section-2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Finds the addresses of a host.
pub type Lookup = fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>>;

/// Why an address is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// It is not on the internet, and its network is not allowed.
    #[error("it leads to the inner address {0}: to allow that, add its network to `allow`")]
    Inner(IpAddr),
    /// It is on the internet, where others can read and change what is sent.
    #[error("it leads to {0} by http, which is for allowed inner networks only: use https")]
    Plain(IpAddr),
    /// The name has no address.
    #[error("the host has no address")]
    NoAddress,
}

/// Which addresses a webhook may reach.
#[derive(Clone, Debug)]
pub struct Guard {
    allow: Vec<IpNet>,
    is_https: bool,
}

impl Guard {
    /// A guard of this URL, which lets it reach these inner networks.
    #[must_use]
    pub fn new(url: &Url, allow: Vec<IpNet>) -> Self {
        Self { allow, is_https: url.scheme() == "https" }
    }

    /// Checks the host of a URL if that is an address, which no resolver is asked for.
    ///
    /// # Errors
    /// [`GuardError`]
    pub fn check_literal(&self, url: &Url) -> Result<(), GuardError> {
        match url.host() {
            Some(Host::Ipv4(ip)) => self.check(ip.into()),
            Some(Host::Ipv6(ip)) => self.check(ip.into()),
            _ => Ok(()),
        }
    }

    /// Checks an address.
    ///
    /// # Errors
    /// [`GuardError`]
    pub fn check(&self, ip: IpAddr) -> Result<(), GuardError> {
        let reached = reached(ip);
        if self.allow.iter().any(|net| net.contains(&reached) || net.contains(&ip)) {
            Ok(())
        } else if !is_global(reached) {
            Err(GuardError::Inner(ip))
        } else if !self.is_https {
            Err(GuardError::Plain(ip))
        } else {
            Ok(())
        }
    }

    /// An HTTP client that connects only where this guard allows. It follows no redirect, and uses no proxy, which would
    /// connect in its place.
    ///
    /// # Errors
    /// If this machine's certificates can't be used.
    pub fn client(self, timeout: Duration, lookup: Lookup) -> reqwest::Result<Client> {
        http::client(timeout)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { guard: Arc::new(self), lookup }))
            .build()
    }
}

/// The resolver of an HTTP client that may reach only some addresses.
struct GuardedResolver {
    guard: Arc<Guard>,
    lookup: Lookup,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, lookup) = (self.guard.clone(), self.lookup);
        Box::pin(async move {
            let (mut allowed, mut refused) = (Vec::new(), GuardError::NoAddress);
            for address in lookup(name.as_str().to_owned()).await? {
                match guard.check(address.ip()) {
                    Ok(()) => allowed.push(address),
                    Err(error) => refused = error,
                }
            }
            if allowed.is_empty() {
                return Err(refused.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Asks the machine's resolver.
#[must_use]
pub fn system_lookup(name: String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> {
    Box::pin(async move { Ok(tokio::net::lookup_host((name, 0)).await?.collect()) })
}

/// The address that is reached in the end: IPv4 behind an IPv6 address that stands for it.
fn reached(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(ip) if ip.segments().starts_with(&NAT64) => embedded(ip).into(),
        ip => ip.to_canonical(),
    }
}

fn embedded(ip: Ipv6Addr) -> Ipv4Addr {
    let [.., a, b, c, d] = ip.octets();
    Ipv4Addr::new(a, b, c, d)
}

fn is_global(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !INNER_V4.iter().any(|net| net.parse().is_ok_and(|net: Ipv4Net| net.contains(&ip))),
        IpAddr::V6(ip) => {
            let is_in = |net: &str| net.parse().is_ok_and(|net: Ipv6Net| net.contains(&ip));
            is_in(GLOBAL_V6) && !INNER_V6.iter().any(|net| is_in(net))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(url: &str, allow: &[&str]) -> Guard {
        Guard::new(&url.parse().unwrap(), allow.iter().map(|net| net.parse().unwrap()).collect())
    }

    fn checked(url: &str, allow: &[&str]) -> Result<(), GuardError> {
        guard(url, allow).check_literal(&url.parse().unwrap())
    }

    #[test]
    fn networks_are_well_formed() {
        assert!(INNER_V4.iter().all(|net| net.parse::<Ipv4Net>().is_ok()));
        assert!(INNER_V6.iter().chain([&GLOBAL_V6]).all(|net| net.parse::<Ipv6Net>().is_ok()));
    }

    #[test]
    fn inner_addresses_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.1",
            "１２７.0.0.1",
            "%31%32%37.0.0.1",
            "127。0。0。1",
            "127.0.0.1.",
            "0",
            "[::]",
            "[::1]",
            "[::127.0.0.1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[64:ff9b::10.0.0.1]",
            "[64:ff9b:1::10.0.0.1]",
            "[2002:7f00:1::]",
            "[2001:0:a00:1::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fec0::1]",
            "[ff02::1]",
            "[100::1]",
            "[2001:db8::1]",
            "[3fff::1]",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.2.1",
            "224.0.0.1",
            "255.255.255.255",
        ] {
            let refused = checked(&format!("https://{host}/"), &[]);
            assert!(matches!(refused, Err(GuardError::Inner(_))), "{host}: {refused:?}");
        }
    }

    #[test]
    fn allowed_networks_may_be_reached_also_without_tls() {
        assert_eq!(checked("http://127.0.0.1/", &["127.0.0.0/8"]), Ok(()));
        assert_eq!(checked("http://[::ffff:127.0.0.1]/", &["127.0.0.0/8"]), Ok(()));
        assert_eq!(checked("http://[fd00::7]:8123/", &["fd00::/8"]), Ok(()));
        assert!(checked("http://10.0.0.1/", &["127.0.0.0/8"]).is_err());
    }

    #[test]
    fn internet_is_reached_by_https_only() {
        for host in ["1.1.1.1", "[2606:4700::1111]", "[64:ff9b::1.1.1.1]", "172.32.0.1", "100.128.0.1"] {
            assert_eq!(checked(&format!("https://{host}:8443/"), &[]), Ok(()), "{host}");
            assert!(matches!(checked(&format!("http://{host}/"), &[]), Err(GuardError::Plain(_))), "{host}");
        }
    }
}
