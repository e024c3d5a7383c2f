//! Links in a text, also those that are written so that a filter does not see them.

use std::collections::HashSet;
use std::sync::LazyLock;

use regex::Regex;

use super::text::is_invisible;

/// Top-level domains that stand for a link without `https://` before it. Twitch makes links of the same.
const DOMAINS: &str = "ac academy ad ae af ag agency ai al am app ar art asia at au audio aw az ba bar be best bet bg bid bio biz blog \
    bo bot br build business buzz by bz ca cam care casino cat cc ch chat cheap church ci cl click clinic cloud club cm cn co \
    codes coffee com community company cool coupons cr cu cx cy cyou cz dance date de deal deals design dev digital direct dk do \
    download earth ec edu ee email es eu events exchange expert fail fans farm finance fi fit fm fo fr fun fund fyi ga gallery \
    game games gay gd ge gg gift gifts gl global gmbh gold gov gr group gs gt guide guru hair hk host hr hu icu id ie il im in inc \
    info ink io ir is it jp ke kg kim kr kz la land lat lgbt li life limited link live lk lol love lt ltd lu lv ly ma market \
    mba md me media men mk ml mn mobi mom money monster ms mt mx my name net network news ng ninja nl no nu nyc nz one ong \
    online onl ooo org page party pe ph photo photos pics pink pk pl plus poker porn pro promo pt pub pw qa quest racing \
    re red rent rest review reviews ro rocks rs ru run sale sb sc school science se sex sg sh shop show si site sk ski sm so \
    social software solutions soy space st store stream studio style su support surf sx systems tax team tech tf tips tk tn to \
    today tokyo tools top town toys tr trade training tube tv tw ua ug uk us uy uz va vc ve video vip vn vote watch website wiki win \
    wine work works world ws wtf xxx xyz yt za zip zone";

/// Those that are also seen where the dots are written in another way. In shorter words too many sentences look like links.
const OBFUSCATED: &str = "com|net|org|info|gg|tv|io|ru|me|xyz|club|site|shop|store|online|live|link|top|pro|app|dev";

static KNOWN: LazyLock<HashSet<&str>> = LazyLock::new(|| DOMAINS.split_whitespace().collect());

/// A link with its scheme; the host is what follows the last `@`.
#[expect(clippy::expect_used, reason = "constant, and tested")]
static WITH_SCHEME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\b(?:h(?:tt|xx)ps?|ftp)\s*:\s*[/\\]{1,2}\s*([^\s/\\?#]+)").expect("a pattern"));
/// What looks like the name of a host.
#[expect(clippy::expect_used, reason = "constant, and tested")]
static HOST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:[\p{L}\p{N}][\p{L}\p{N}_-]*\.)+[\p{L}][\p{L}\p{N}-]+").expect("a pattern"));
/// Dots written in brackets, as a word or with spaces around them.
#[expect(clippy::expect_used, reason = "constant, and tested")]
static WRITTEN_DOT: LazyLock<Regex> = LazyLock::new(|| {
    let dot = r"(?:\s*[\[({<]\s*(?:\.|dot|punkt|punto)\s*[\])}>]\s*|\s+(?:dot|punkt)\s+|\s+\.\s*|\.\s+)";
    Regex::new(&format!(r"([\p{{L}}\p{{N}}]){dot}({OBFUSCATED})\b(?:\s*/|\W*$|\s)")).expect("a pattern")
});

/// Hosts that may be linked to.
#[derive(Clone, Debug, Default)]
pub struct AllowedHosts {
    hosts: HashSet<String>,
    /// Domains all of whose hosts are allowed, with the dot before them.
    domains: Vec<String>,
}

impl AllowedHosts {
    /// Reads hosts, and domains with `*.` before them.
    ///
    /// # Errors
    /// The first that is neither.
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let mut allowed = Self::default();
        for pattern in patterns {
            let name = pattern.to_lowercase();
            let host = name.strip_prefix("*.").unwrap_or(&name);
            if HOST.find(host).is_none_or(|found| found.as_str() != host) {
                return Err(format!(
                    "`{pattern}` is no host: write clips.twitch.tv, or *.wikipedia.org for all of a domain"
                ));
            }
            if host.len() < name.len() {
                allowed.domains.push(format!(".{host}"));
            }
            allowed.hosts.insert(host.to_owned());
        }
        Ok(allowed)
    }

    /// Whether a host may be linked to.
    #[must_use]
    pub fn has(&self, host: &str) -> bool {
        let bare = host.strip_prefix("www.").unwrap_or(host);
        self.hosts.contains(host)
            || self.hosts.contains(bare)
            || self.domains.iter().any(|domain| host.ends_with(&**domain))
    }
}

/// Whether a folded text has a dot, or what may stand for one. Most have none.
#[must_use]
pub fn may_have_link(text: &str) -> bool {
    text.bytes().any(|byte| byte == b'.' || byte == b':' || !byte.is_ascii())
        || ["dot", "punkt", "punto"].iter().any(|word| text.contains(word))
}

/// The hosts of the links in a folded text.
#[must_use]
pub fn hosts(text: &str) -> Vec<String> {
    let with_scheme = WITH_SCHEME.captures_iter(text).map(|found| {
        let authority = found[1].rsplit('@').next().unwrap_or_default().to_owned();
        authority.split(':').next().unwrap_or_default().trim_end_matches(|it: char| !it.is_alphanumeric()).to_owned()
    });
    let plain = names(text);
    // Only what had another dot is looked at a second time.
    let undotted = WRITTEN_DOT.replace_all(text, "$1.$2 ").into_owned();
    let obfuscated = if undotted == text { Vec::new() } else { names(&undotted) };
    with_scheme.chain(plain).chain(obfuscated).filter(|host| !host.is_empty()).collect()
}

/// Names of hosts with a known top-level domain.
fn names(text: &str) -> Vec<String> {
    let is_host = |name: &&str| name.rsplit('.').next().is_some_and(|last| KNOWN.contains(last));
    // What stands before the `@` of an address with a scheme is a user, and what follows a slash is a path.
    let is_path = |start: usize| text[..start].ends_with(['/', '\\', '=', '?', '&']) && !text[..start].ends_with("//");
    let found = HOST.find_iter(text).filter(|found| !is_path(found.start()) && !text[found.end()..].starts_with('@'));
    found.map(|found| found.as_str()).filter(is_host).map(str::to_owned).collect()
}

/// A text in lower case, without what has no width, and with plain letters and dots in place of those that only look like
/// them.
#[must_use]
pub fn folded(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let visible = text.chars().filter(|it| !is_invisible(*it)).map(plain);
    visible.flat_map(char::to_lowercase).collect()
}

fn plain(character: char) -> char {
    let letter = |offset: u32| char::from_u32(u32::from('a') + offset % 26).unwrap_or(character);
    let code = u32::from(character);
    match code {
        // Dots of other scripts.
        0x3002 | 0xFF0E | 0xFF61 | 0x2024 => '.',
        // Wide letters.
        0xFF01..=0xFF5E => char::from_u32(code - 0xFEE0).unwrap_or(character),
        // Letters and digits of mathematics.
        0x1_D400..=0x1_D6A3 => letter(code - 0x1_D400),
        0x1_D7CE..=0x1_D7FF => char::from_u32(u32::from('0') + (code - 0x1_D7CE) % 10).unwrap_or(character),
        // Letters in circles and squares.
        0x24B6..=0x24E9 => letter(code - 0x24B6),
        0x1_F130..=0x1_F149 => letter(code - 0x1_F130),
        0x1_F150..=0x1_F169 => letter(code - 0x1_F150),
        0x1_F170..=0x1_F189 => letter(code - 0x1_F170),
        _ => character,
    }
}

#[cfg(test)]
mod tests {
    use super::super::occurrence::ChatLine;
    use super::*;

    fn host(text: &str) -> Option<String> {
        let allowed = ["clips.twitch.tv".to_owned(), "*.wikipedia.org".to_owned()];
        let (allowed, line) =
            (AllowedHosts::new(&allowed).unwrap(), ChatLine::new(String::new(), text.to_owned(), false));
        line.hosts().iter().find(|host| !allowed.has(host)).cloned()
    }

    #[test]
    fn link_is_found() {
        for (text, found) in [
            ("see https://example.com/x", "example.com"),
            ("HTTP://EXAMPLE.COM", "example.com"),
            ("example.com", "example.com"),
            ("go to www.example.co.uk/page?x=1 now", "www.example.co.uk"),
            ("discord.gg/abc", "discord.gg"),
            ("http://10.0.0.1/x", "10.0.0.1"),
            ("https://localhost:8080", "localhost"),
            ("(example.com)", "example.com"),
            ("bücher.de", "bücher.de"),
        ] {
            assert_eq!(host(text).as_deref(), Some(found), "{text}");
        }
    }

    #[test]
    fn hidden_link_is_found() {
        for text in [
            "example . com",
            "example. com",
            "example .com",
            "example[.]com",
            "example(dot)com",
            "example dot com",
            "example [dot] com /x",
            "hxxps://example.com",
            "https : // example.com",
            "example。com",
            "ｅｘａｍｐｌｅ．ｃｏｍ",
            "𝐞𝐱𝐚𝐦𝐩𝐥𝐞.𝐜𝐨𝐦",
            "ⓔⓧⓐⓜⓟⓛⓔ.ⓒⓞⓜ",
            "exam\u{200B}ple.\u{200B}com",
            "EXAMPLE DOT COM",
            "example dOt com",
            "example Punkt com",
            "example[PUNTO]com",
        ] {
            assert_eq!(host(text).as_deref(), Some("example.com"), "{text}");
        }
    }

    #[test]
    fn allowed_host_is_no_link() {
        for text in [
            "https://clips.twitch.tv/AbcDef",
            "clips.twitch.tv/AbcDef.com",
            "www.clips.twitch.tv",
            "en.wikipedia.org/wiki/Otter",
            "wikipedia.org",
            "https://en.wikipedia.org/wiki/St._Gallen?title=a.com",
        ] {
            assert_eq!(host(text), None, "{text}");
        }
    }

    #[test]
    fn host_that_only_looks_allowed_is_a_link() {
        for (text, found) in [
            ("clips.twitch.tv.example.com", "clips.twitch.tv.example.com"),
            ("https://clips.twitch.tv@example.com/x", "example.com"),
            ("notclips.twitch.tv", "notclips.twitch.tv"),
            ("fakewikipedia.org", "fakewikipedia.org"),
            ("clips.twitch.tv example.com", "example.com"),
        ] {
            assert_eq!(host(text).as_deref(), Some(found), "{text}");
        }
    }

    #[test]
    fn sentence_is_no_link() {
        for text in [
            "hello there. this is fine",
            "well...ok",
            "v1.2.3 is out",
            "3.14",
            "I connect the dot to the dot",
            "wait.what",
            "e.g. this, i.e. that",
            "ok. me too",
            "main.rs file",
            "the store. com on",
        ] {
            let found = host(text);
            // `.rs` is a domain, and Twitch makes a link of it.
            assert!(
                found.is_none() || text.contains("main.rs") || text.contains(". me") || text.contains(". com"),
                "{text}: {found:?}"
            );
        }
    }

    #[test]
    fn pattern_that_is_no_host_is_refused() {
        for wrong in ["https://clips.twitch.tv", "clips.twitch.tv/x", "*", "twitch", ""] {
            assert!(AllowedHosts::new(&[wrong.to_owned()]).unwrap_err().contains("is no host"), "{wrong}");
        }
    }
}
