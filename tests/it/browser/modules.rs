//! Unit tests of the pages' modules, run by node.

use std::path::Path;
use std::process::Command;

use crate::support::skip;

/// The first version that detects modules by itself.
const NODE: (u32, u32) = (20, 19);

#[test]
fn page_modules_pass_their_own_tests() {
    if node_version().is_none_or(|version| version < NODE) {
        return skip("node 20.19 or newer (Debian's package nodejs)");
    }
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    let output = Command::new("node").args(["--test", "modules/"]).current_dir(directory).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("# fail 0") && !said.contains("# pass 0"), "{said}");
}

fn node_version() -> Option<(u32, u32)> {
    let output = Command::new("node").arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}
