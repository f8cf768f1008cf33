//! Users, their sessions and the server's secrets: what no journal can give back.

use model::{CarrierId, Principal, Role, Timestamp};

use crate::StoreError;

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

/// The users. Clones share everything. Every instant is an argument.
#[derive(Clone)]
pub struct Users {}

fn later<T>() -> Result<T, StoreError> {
    Err(StoreError::Refused("the body follows in the next commit"))
}

impl Users {
    /// Creates the user `admin` unless it exists.
    ///
    /// # Errors
    /// When the given password is empty or longer than 1,024 bytes, or the database fails.
    pub async fn ensure_admin(&self, password: Option<&str>, now: Timestamp) -> Result<Bootstrap, StoreError> {
        later()
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
        later()
    }

    /// Sets a password and ends all sessions of the user.
    ///
    /// # Errors
    /// `NotFound`; `Refused` as for [`Users::create_user`].
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), StoreError> {
        later()
    }

    /// Lets a user log in or not; disabling ends all sessions.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn set_disabled(&self, name: &str, disabled: bool) -> Result<(), StoreError> {
        later()
    }

    /// Checks a password and starts a session; `None` when the two do not go together or the user is disabled. A
    /// name that does not exist costs the same time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn login(&self, name: &str, password: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        later()
    }

    /// Who holds the token; `None` when it is void.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Principal>, StoreError> {
        later()
    }

    /// Makes the token void.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn logout(&self, token: &str) -> Result<(), StoreError> {
        later()
    }

    /// All users by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self) -> Result<Vec<UserRow>, StoreError> {
        later()
    }

    /// The secret of that name: `len` random bytes, created at first use.
    ///
    /// # Errors
    /// `Refused` when it exists with another length; or when the database fails.
    pub async fn secret(&self, name: &str, len: usize) -> Result<Vec<u8>, StoreError> {
        later()
    }
}
