//! Users, their sessions and the server's secrets: what no journal can give back.

use std::path::Path;
use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use model::{CarrierId, Principal, Role, Scope, Timestamp};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use crate::StoreError;
use crate::compact::blocking;
use crate::sqlite::Db;
use crate::sqlite::app::{self, StoredUser};

/// How long a login holds, microseconds: 12 h from the login, a working shift. It is not prolonged by use, so that
/// the expiry told at login is the truth and no read writes.
pub const SESSION_US: i64 = 12 * 3600 * 1_000_000;

/// What a password hash costs (argon2id).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory, KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
    /// How many hashes are computed at the same time; others wait.
    pub concurrent: usize,
}

impl PasswordCost {
    /// The least that OWASP asks of argon2id: 19 MiB, two passes, one lane.
    pub const OWASP: Self = Self { memory_kib: 19 * 1024, passes: 2, concurrent: 4 };
    /// For tests only: as cheap as argon2 gets.
    pub const TEST: Self = Self { memory_kib: 8, passes: 1, concurrent: 4 };
}

/// A user, without the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRow {
    /// Name.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// Whose data they see; always set for [`Role::Carrier`], never for [`Role::Admin`].
    pub carrier: Option<CarrierId>,
    /// May not log in.
    pub disabled: bool,
    /// When they were created.
    pub created: Timestamp,
}

/// A fresh login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// 256 random bits, hex: shown once, only its SHA-256 is kept.
    pub token: String,
    /// Who they are.
    pub principal: Principal,
    /// When the token becomes void.
    pub expires: Timestamp,
}

/// What came of making sure that there is an administrator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// The user `admin` was there; the given password, if any, was not looked at.
    Present,
    /// Created with the given password.
    Created,
    /// Created with this password, which is shown here once and kept nowhere.
    Generated(String),
}

/// Name of the administrator that a new installation begins with.
const ADMIN: &str = "admin";
/// Shortest password that people may choose, bytes (NIST SP 800-63B).
const PASSWORD_MIN: usize = 8;
/// Longest password, bytes: nobody may make the server hash a book.
const PASSWORD_MAX: usize = 1024;
const NAME_MAX: usize = 64;
const SECRET_MAX: usize = 4096;

/// The users. Clones share everything. Every instant is an argument.
#[derive(Clone)]
pub struct Users {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    hasher: Argon2<'static>,
    hashes: Semaphore,
    /// The hash of a password that nobody has: what unknown names are checked against.
    nobody: String,
}

fn random(len: usize) -> Result<Vec<u8>, StoreError> {
    let mut bytes = vec![0; len];
    getrandom::fill(&mut bytes).map_err(|e| StoreError::Engine { doing: "get random bytes", source: Box::new(e) })?;
    Ok(bytes)
}

fn token_hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}

fn hash(hasher: &Argon2<'_>, password: &[u8]) -> Result<String, StoreError> {
    let hash = hasher.hash_password(password);
    hash.map(|h| h.to_string()).map_err(|e| StoreError::Engine { doing: "hash a password", source: Box::new(e) })
}

fn check_name(name: &str) -> Result<(), StoreError> {
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '@');
    if name.is_empty() || name.chars().count() > NAME_MAX || !name.chars().all(fits) {
        return Err(StoreError::Refused("a user name has 1 to 64 letters, digits and . _ - @"));
    }
    if name == Principal::system().name {
        return Err(StoreError::Refused("this user name means the server itself"));
    }
    Ok(())
}

fn check_password(password: &str) -> Result<(), StoreError> {
    if (PASSWORD_MIN..=PASSWORD_MAX).contains(&password.len()) {
        Ok(())
    } else {
        Err(StoreError::Refused("a password has 8 to 1,024 bytes"))
    }
}

fn principal(user: &UserRow) -> Principal {
    let scope = match (user.role, user.carrier) {
        (Role::Admin, _) => Scope::All,
        (Role::Carrier, Some(carrier)) => Scope::Carrier(carrier),
        // No such row is ever written; if one is, it sees nobody's data.
        (Role::Carrier, None) => Scope::Carrier(CarrierId(0)),
    };
    Principal { name: user.name.clone(), role: user.role, scope }
}

impl Users {
    pub(crate) async fn open(dir: &Path, cost: PasswordCost) -> Result<Self, StoreError> {
        let db = app::open(dir).await?;
        let params = Params::new(cost.memory_kib, cost.passes, 1, None)
            .map_err(|_| StoreError::Refused("the password cost is outside what argon2 allows"))?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let (nobody, secret) = (hasher.clone(), random(32)?);
        let nobody = blocking(move || hash(&nobody, &secret)).await??;
        let hashes = Semaphore::new(cost.concurrent.max(1));
        Ok(Self { inner: Arc::new(Inner { db, hasher, hashes, nobody }) })
    }

    pub(crate) async fn close(&self) {
        self.inner.db.close().await;
    }

    /// Runs a hash: off the serving threads, and only so many at a time.
    async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Argon2<'static>) -> T + Send + 'static,
    ) -> Result<T, StoreError> {
        let permit = self.inner.hashes.acquire().await;
        let _permit = permit.map_err(|e| StoreError::Engine { doing: "hash a password", source: Box::new(e) })?;
        let hasher = self.inner.hasher.clone();
        blocking(move || work(&hasher)).await
    }

    async fn hash(&self, password: &str) -> Result<String, StoreError> {
        let password = password.to_owned();
        self.hashing(move |hasher| hash(hasher, password.as_bytes())).await?
    }

    /// Creates the user `admin` unless it exists.
    ///
    /// # Errors
    /// When the given password is empty or longer than 1,024 bytes, or the database fails.
    pub async fn ensure_admin(&self, password: Option<&str>, now: Timestamp) -> Result<Bootstrap, StoreError> {
        if app::user(&self.inner.db, ADMIN).await?.is_some() {
            return Ok(Bootstrap::Present);
        }
        // The operator's choice is not lengthened for them; only nothing at all is no password.
        if password.is_some_and(|p| p.is_empty() || p.len() > PASSWORD_MAX) {
            return Err(StoreError::Refused("the administrator's password has 1 to 1,024 bytes"));
        }
        let chosen = password.map_or_else(|| random(16).map(hex::encode), |p| Ok(p.to_owned()))?;
        let hash = self.hash(&chosen).await?;
        let user = UserRow { name: ADMIN.to_owned(), role: Role::Admin, carrier: None, disabled: false, created: now };
        if !app::insert_user(&self.inner.db, &StoredUser { user, hash }).await? {
            return Ok(Bootstrap::Present);
        }
        Ok(if password.is_some() { Bootstrap::Created } else { Bootstrap::Generated(chosen) })
    }

    /// Creates a user.
    ///
    /// # Errors
    /// `Refused` for a bad name, a password outside 8..=1,024 bytes, or a carrier that does not go with the role;
    /// `Exists` when the name is taken.
    pub async fn create_user(
        &self,
        name: &str,
        password: &str,
        role: Role,
        carrier: Option<CarrierId>,
        now: Timestamp,
    ) -> Result<UserRow, StoreError> {
        check_name(name)?;
        check_password(password)?;
        if (role == Role::Carrier) != carrier.is_some() {
            return Err(StoreError::Refused("a carrier's user names the carrier, any other names none"));
        }
        let hash = self.hash(password).await?;
        let user = UserRow { name: name.to_owned(), role, carrier, disabled: false, created: now };
        let stored = StoredUser { user, hash };
        if app::insert_user(&self.inner.db, &stored).await? { Ok(stored.user) } else { Err(StoreError::Exists("user")) }
    }

    /// Sets a password and ends all sessions of the user.
    ///
    /// # Errors
    /// `NotFound`; `Refused` as for [`Users::create_user`].
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), StoreError> {
        check_password(password)?;
        let hash = self.hash(password).await?;
        app::set_hash(&self.inner.db, name, &hash).await
    }

    /// Lets a user log in or not; disabling ends all sessions.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), StoreError> {
        app::set_disabled(&self.inner.db, name, disabled).await
    }

    /// Checks a password and starts a session; `None` when the two do not go together or the user is disabled. A
    /// name that does not exist costs the same time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login(&self, name: &str, password: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        if password.len() > PASSWORD_MAX {
            return Ok(None);
        }
        let found = app::user(&self.inner.db, name).await?;
        let expected = found.as_ref().map_or_else(|| self.inner.nobody.clone(), |u| u.hash.clone());
        let password = password.to_owned();
        let matches = self
            .hashing(move |hasher| {
                PasswordHash::new(&expected)
                    .is_ok_and(|expected| hasher.verify_password(password.as_bytes(), &expected).is_ok())
            })
            .await?;
        let Some(stored) = found.filter(|u| matches && !u.user.disabled) else { return Ok(None) };
        let token = hex::encode(random(32)?);
        let expires = now.plus_us(SESSION_US);
        // With the hash that was checked: a password changed meanwhile has ended this login too.
        if !app::insert_session(&self.inner.db, &token_hash(&token), &stored, now, expires).await? {
            return Ok(None);
        }
        Ok(Some(Session { token, principal: principal(&stored.user), expires }))
    }

    /// Who holds the token; `None` when it is void.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Principal>, StoreError> {
        let user = app::session_user(&self.inner.db, &token_hash(token), now).await?;
        Ok(user.as_ref().map(principal))
    }

    /// Makes the token void.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logout(&self, token: &str) -> Result<(), StoreError> {
        app::delete_session(&self.inner.db, &token_hash(token)).await
    }

    /// All users by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<UserRow>, StoreError> {
        app::users(&self.inner.db).await
    }

    /// The secret of that name: `len` random bytes, created at first use.
    ///
    /// # Errors
    /// `Refused` when `len` is not 1..=4,096, or the secret exists with another length; or when the database fails.
    pub async fn secret(&self, name: &str, len: usize) -> Result<Vec<u8>, StoreError> {
        if !(1..=SECRET_MAX).contains(&len) {
            return Err(StoreError::Refused("a secret has 1 to 4,096 bytes"));
        }
        let secret = app::secret(&self.inner.db, name, random(len)?).await?;
        if secret.len() == len { Ok(secret) } else { Err(StoreError::Refused("the secret has another length")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_406_706_000_000);

    async fn open() -> (tempfile::TempDir, Users) {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), PasswordCost::TEST).await.expect("opens");
        (dir, users)
    }

    #[tokio::test]
    async fn the_first_start_makes_an_administrator_once() {
        let (dir, users) = open().await;
        let Bootstrap::Generated(password) = users.ensure_admin(None, NOW).await.expect("created") else {
            panic!("a password must be generated")
        };
        assert!(password.len() >= 32);
        assert_eq!(users.ensure_admin(Some("other"), NOW).await.expect("present"), Bootstrap::Present);
        let session = users.login("admin", &password, NOW).await.expect("works").expect("right password");
        assert_eq!((session.principal.role, session.principal.scope), (Role::Admin, Scope::All));
        users.close().await;
        let again = Users::open(dir.path(), PasswordCost::TEST).await.expect("reopens");
        assert!(again.session(&session.token, NOW).await.expect("works").is_some(), "a session outlives a restart");
    }

    #[tokio::test]
    async fn sessions_begin_and_end() {
        let (_dir, users) = open().await;
        let carrier = Some(CarrierId(7));
        users.create_user("li", "a password", Role::Carrier, carrier, NOW).await.expect("created");
        for (name, password) in [("li", "another"), ("nobody", "a password"), ("li", ""), ("", "a password")] {
            assert_eq!(users.login(name, password, NOW).await.expect("works"), None, "{name}");
        }
        let log_in = || async { users.login("li", "a password", NOW).await.expect("works").expect("right") };
        let session = log_in().await;
        assert_eq!(session.principal.scope, Scope::Carrier(CarrierId(7)));
        let who = users.session(&session.token, NOW).await.expect("works");
        assert_eq!(who.as_ref(), Some(&session.principal));
        assert_eq!(users.session(&session.token, session.expires).await.expect("works"), None, "expired");
        assert_eq!(users.session("", NOW).await.expect("works"), None);
        users.logout(&session.token).await.expect("works");
        assert_eq!(users.session(&session.token, NOW).await.expect("works"), None, "logged out");

        let session = log_in().await;
        users.set_password("li", "a new password").await.expect("works");
        assert_eq!(users.session(&session.token, NOW).await.expect("works"), None, "password changed");
        let session = users.login("li", "a new password", NOW).await.expect("works").expect("right");
        users.set_disabled("li", true).await.expect("works");
        assert_eq!(users.session(&session.token, NOW).await.expect("works"), None, "disabled");
        assert_eq!(users.login("li", "a new password", NOW).await.expect("works"), None, "disabled");
        users.set_disabled("li", false).await.expect("works");
        assert_eq!(users.session(&session.token, NOW).await.expect("works"), None, "ended for good");
    }

    #[tokio::test]
    async fn bad_users_are_refused() {
        let (_dir, users) = open().await;
        let carrier = Some(CarrierId(1));
        let cases = [
            ("", "long enough", Role::Admin, None),
            ("a b", "long enough", Role::Admin, None),
            ("system", "long enough", Role::Admin, None),
            ("short", "seven77", Role::Admin, None),
            ("lost", "long enough", Role::Carrier, None),
            ("torn", "long enough", Role::Admin, carrier),
        ];
        for (name, password, role, carrier) in cases {
            let made = users.create_user(name, password, role, carrier, NOW).await;
            assert!(matches!(made, Err(StoreError::Refused(_))), "{name}");
        }
        users.create_user("王五", "long enough", Role::Admin, None, NOW).await.expect("created");
        let twice = users.create_user("王五", "long enough", Role::Admin, None, NOW).await;
        assert!(matches!(twice, Err(StoreError::Exists("user"))));
        assert!(matches!(users.set_password("none", "long enough").await, Err(StoreError::NotFound("user"))));
        assert!(matches!(users.set_disabled("none", true).await, Err(StoreError::NotFound("user"))));
        assert_eq!(users.list().await.expect("works").len(), 1);
    }

    #[tokio::test]
    async fn secrets_are_made_once() {
        let (_dir, users) = open().await;
        let secret = users.secret("auth", 32).await.expect("made");
        assert_eq!(secret.len(), 32);
        assert_eq!(users.secret("auth", 32).await.expect("kept"), secret);
        assert_ne!(users.secret("other", 32).await.expect("made"), secret);
        assert!(matches!(users.secret("auth", 16).await, Err(StoreError::Refused(_))));
        assert!(matches!(users.secret("none", 0).await, Err(StoreError::Refused(_))));
    }

    #[tokio::test]
    async fn the_default_hash_is_the_one_that_owasp_asks_for() {
        let dir = tempfile::tempdir().expect("a folder");
        let users = Users::open(dir.path(), PasswordCost::OWASP).await.expect("opens");
        assert!(users.inner.nobody.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", users.inner.nobody);
    }
}
