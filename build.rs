//! Cargo does not notice a new migration by itself: `migrate!` tracks the files it has seen.

fn main() {
    println!("cargo:rerun-if-changed=db/migrations");
}
