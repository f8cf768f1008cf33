//! The guard before every handler: who is it, and may they. It reads the one table of routes and nothing else.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use model::Principal;

use crate::access::{self, Access};
use crate::app::App;
use crate::problem::{Kind, Problem};

/// A session's token, for handlers that outlive or end the session.
#[derive(Clone)]
pub(crate) struct Token(pub(crate) String);

pub(crate) async fn guard(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return next.run(request).await;
    };
    let Some(access) = access::access(request.method(), path.as_str()) else {
        return unlisted(path.as_str()).into_response();
    };
    if access != Access::Public {
        match identify(&app, request.headers(), access).await {
            Ok((who, token)) => {
                request.extensions_mut().insert(who);
                request.extensions_mut().insert(token);
            }
            Err(problem) => return problem.into_response(),
        }
    }
    next.run(request).await
}

/// A path that is routed but not in the table answers nothing; one that is in it knows other methods.
fn unlisted(path: &str) -> Problem {
    let methods = access::methods(path);
    match HeaderValue::from_str(&methods) {
        Ok(allow) if !methods.is_empty() => {
            Problem::new(Kind::Method, format_args!("{path} knows {methods}")).header(header::ALLOW, allow)
        }
        _ => Problem::new(Kind::NotFound, "no such route"),
    }
}

async fn identify(app: &App, headers: &HeaderMap, access: Access) -> Result<(Principal, Token), Problem> {
    let refuse = |detail: &str| {
        let challenge = HeaderValue::from_static("Bearer realm=\"hazwatch\"");
        Problem::new(Kind::Unauthenticated, detail).header(header::WWW_AUTHENTICATE, challenge)
    };
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    let token = bearer.ok_or_else(|| refuse("the header Authorization: Bearer TOKEN is missing"))?;
    let session = app.deps.store.users().session(token, app.now()).await?;
    let who = session.ok_or_else(|| refuse("the token is void or expired"))?;
    match access {
        Access::Needs(permission) if !who.may(permission) => {
            let detail = format!("the role {} may not do this ({permission:?})", who.role.name());
            Err(Problem::new(Kind::Forbidden, detail))
        }
        _ => Ok((who, Token(token.to_owned()))),
    }
}

fn bearer_token(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_tokens_are_read() {
        for (value, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Basic abc", None),
            ("Bearer ", None),
            ("Bearer", None),
        ] {
            assert_eq!(bearer_token(value), token, "{value}");
        }
    }
}
