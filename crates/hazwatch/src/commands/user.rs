//! `hazwatch user`: users of a folder that no server is using.

use std::process::ExitCode;

use journal::DataLock;
use store::{Store, StoreError};

use super::say;
use crate::cli::{User, UserAction};
use crate::error::Failure;

pub(super) async fn run(options: User) -> Result<ExitCode, Failure> {
    if !options.data.join("app.db").exists() {
        return Err(Failure::Usage(format!("there are no users in {}", options.data.display())));
    }
    let _lock = DataLock::acquire(&options.data).map_err(|error| Failure::because("cannot change users", error))?;
    let cannot = |error: StoreError| Failure::because("cannot change users", error);
    let users = Store::open(&options.data, 1).await.map_err(cannot)?.users();
    match options.action {
        UserAction::Reset { name } => {
            let given = std::env::var("HAZWATCH_ADMIN_PASSWORD").ok();
            let password = match given.clone() {
                Some(password) => password,
                None => generate_password()?,
            };
            users.set_password(&name, &password).await.map_err(cannot)?;
            match given {
                Some(_) => say(&format!("the password of {name} is the one in HAZWATCH_ADMIN_PASSWORD")),
                None => say(&format!("the new password of {name} is {password}")),
            }
        }
        UserAction::List => {
            for user in users.list().await.map_err(cannot)? {
                let state = if user.disabled { "disabled" } else { "active" };
                say(&format!("{}\t{}\t{state}\tsince {}", user.name, user.role.name(), user.created));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// 128 random bits in letters and digits that nobody mistakes for one another.
fn generate_password() -> Result<String, Failure> {
    let no_luck = |error| Failure::because("cannot make a password", error);
    let (high, low) = (control::random_id().map_err(no_luck)?, control::random_id().map_err(no_luck)?);
    let id = model::FactId(u128::from(high) << 64 | u128::from(low)).to_string();
    Ok(id.trim_start_matches("f_").to_owned())
}
