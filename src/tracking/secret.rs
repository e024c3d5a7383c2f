//! The secret of a bot, and its hash. A bot's secret may be kept in many places, so the hash is slow and salted.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{Error, PasswordHasher as _, PasswordVerifier as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret as _, SecretString};

/// Every secret begins with it, so that people and leak scanners recognise one.
const PREFIX: &str = "stb_";

/// What is hashed with if there is no bot of a name, so that it takes as long.
const NO_SALT: &[u8; 16] = b"no bot, no salt.";

/// A new secret, to be shown once: `stb_` and 256 random bits.
#[must_use]
pub fn generate() -> SecretString {
    SecretString::from(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
}

/// The hash of a secret, in the PHC format: Argon2id with 19 MiB, two passes and one lane. It takes tens of milliseconds.
///
/// # Errors
/// Never, with the parameters that it has.
pub fn hash(secret: &SecretString) -> Result<String, Error> {
    let salt: [u8; 16] = rand::random();
    let hash: PasswordHash = Argon2::default().hash_password_with_salt(secret.expose_secret().as_bytes(), &salt)?;
    Ok(hash.to_string())
}

/// Whether this is the secret of the hash. Takes as long without a hash.
#[must_use]
pub fn verify(secret: &SecretString, hash: Option<&str>) -> bool {
    let (argon2, secret) = (Argon2::default(), secret.expose_secret().as_bytes());
    match hash.and_then(|hash| PasswordHash::new(hash).ok()) {
        Some(hash) => argon2.verify_password(secret, &hash).is_ok(),
        None => {
            let _ = std::hint::black_box(argon2.hash_password_with_salt(secret, NO_SALT));
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secret_is_verified_by_its_hash_alone() {
        let (secret, other) = (generate(), generate());
        let hashed = hash(&secret).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hashed}");
        assert_ne!(hashed, hash(&secret).unwrap(), "each has a salt of its own");
        assert!(verify(&secret, Some(&hashed)));
        assert!(!verify(&other, Some(&hashed)) && !verify(&secret, None) && !verify(&secret, Some("")));
        assert!(secret.expose_secret().starts_with("stb_") && secret.expose_secret().len() == 47);
    }
}
