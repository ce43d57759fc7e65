//! Who is let in.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until},
};

use super::{
    Access, Anonymous,
    identity::{Identity, Proof},
    passwords::Passwords,
    refusals::Refusals,
    throttle::Throttle,
};

/// What is wrong is answered this long after it was its turn: longer than the check of a password takes, so that the time does
/// not tell whether there is such a user, and what it proves itself with.
const FAILURE_TAKES: Duration = Duration::from_millis(500);
/// Answers that wait at the same time; each holds a connection.
const MAX_FAILING: usize = 1_024;

/// What a client says about itself when it connects.
#[derive(Clone, Copy)]
pub struct LoginRequest<'a> {
    /// Where the connection comes from.
    pub address: IpAddr,
    /// The client id of its CONNECT packet, or the one that it was assigned.
    pub client_id: &'a str,
    /// The user name of its CONNECT packet.
    pub user: Option<&'a str>,
    /// The password of its CONNECT packet: a token or a person's password.
    pub password: Option<&'a [u8]>,
    /// The common name of its certificate, if it gave one that was verified; it needs no password then.
    pub certificate_user: Option<&'a str>,
}

impl fmt::Debug for LoginRequest<'_> {
    /// Without the password; and without the user, as some type a password there.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut request = f.debug_struct("LoginRequest");
        request
            .field("address", &self.address)
            .field("certificate_user", &self.certificate_user)
            .finish_non_exhaustive()
    }
}

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LoginRefused {
    /// No such user, a wrong secret, or a user that is disabled: which of them is not told.
    #[error("bad user name or password")]
    BadCredentials,
    /// It is who it says it is, or nobody, and must not connect like this: an agent or ingester whose client id is not its
    /// name, a client id that is the name of another user, a certificate without a user, no name where one is needed.
    #[error("not authorized to connect under this client id")]
    NotAuthorized,
    /// Too many wrong passwords came from this address.
    #[error("too many attempts: try again in {} s", retry_after.as_secs().saturating_add(1))]
    TooManyAttempts {
        /// From when on another one is looked at.
        retry_after: Duration,
    },
    /// Too many passwords are being checked: try again.
    #[error("too many logins at once: try again")]
    Busy,
}

/// What logins share.
#[derive(Debug)]
pub(crate) struct Logins {
    throttle: Throttle,
    pub(crate) passwords: Passwords,
    failing: Semaphore,
    pub(crate) refusals: Refusals,
}

impl Logins {
    pub(crate) fn new() -> Self {
        Self {
            throttle: Throttle::new(),
            passwords: Passwords::new(),
            failing: Semaphore::new(MAX_FAILING),
            refusals: Refusals::default(),
        }
    }
}

impl Access {
    /// Who the client is, and what it may do. Takes microseconds for a right token or a certificate, and some 30 ms for a right
    /// password; answers that a secret is wrong take half a second to five, so the caller should go on reading nothing and
    /// hold a bounded number of connections that have not logged in.
    ///
    /// # Errors
    /// Why it is not let in; refusals are logged here, in one line for many.
    pub async fn login(&self, request: &LoginRequest<'_>) -> Result<Identity, LoginRefused> {
        let outcome = self.decide(request).await;
        if let Err(refused) = &outcome {
            let name = request.certificate_user.or(request.user);
            let known = name.and_then(|name| self.state().users.get(name).map(|user| user.name.to_string()));
            self.0.logins.refusals.note(refused, request.address, known.as_deref());
        }
        outcome
    }

    async fn decide(&self, request: &LoginRequest<'_>) -> Result<Identity, LoginRefused> {
        let proof = match self.proof(request)? {
            Some(proof) => proof,
            None => self.password(request).await?,
        };
        // Users may have changed while a password was checked.
        let state = self.state();
        let proof = state.renew(&proof).ok_or(LoginRefused::BadCredentials)?;
        state.admit(proof, request.client_id).ok_or(LoginRefused::NotAuthorized)
    }

    /// What takes no time: a certificate, a right token, or nothing where that is enough. `None` for what may be a password.
    fn proof(&self, request: &LoginRequest<'_>) -> Result<Option<Proof>, LoginRefused> {
        let state = self.state();
        let open = self.0.anonymous == Anonymous::Allowed;
        if open && self.0.config.users.is_none() {
            return Ok(Some(Proof::Open));
        }
        match (request.certificate_user, request.user) {
            (Some(certificate), Some(user)) if certificate != user => Err(LoginRefused::NotAuthorized),
            (Some(certificate), _) => {
                let user = state.users.get(certificate).filter(|user| !user.disabled);
                user.map(|user| Some(Proof::Certificate(Arc::clone(user)))).ok_or(LoginRefused::NotAuthorized)
            }
            (None, None) if open => Ok(Some(Proof::Open)),
            (None, None) => Err(LoginRefused::NotAuthorized),
            (None, Some(name)) => {
                let token = request.password.unwrap_or_default();
                let user = state.users.get(name).filter(|user| !user.disabled && user.secret.is_token(token));
                Ok(user.map(|user| Proof::Secret(Arc::clone(user))))
            }
        }
    }

    /// A password, or a secret that is wrong: all of them go the same way, at the same pace.
    async fn password(&self, request: &LoginRequest<'_>) -> Result<Proof, LoginRefused> {
        let logins = &self.0.logins;
        let name = request.user.unwrap_or_default();
        let attempt = logins
            .throttle
            .begin(request.address, name, Instant::now())
            .map_err(|retry_after| LoginRefused::TooManyAttempts { retry_after })?;
        let user = self.state().users.get(name).filter(|user| !user.disabled).cloned();
        let secret = user.as_ref().map(|user| &user.secret);
        let Ok(checked) = logins.passwords.check(secret, request.password.unwrap_or_default()).await else {
            logins.throttle.given_up(attempt, Instant::now());
            return Err(LoginRefused::Busy);
        };
        if let (true, Some(user)) = (checked.right, user) {
            logins.throttle.succeeded(attempt, Instant::now());
            return Ok(Proof::Secret(user));
        }
        let extra = logins.throttle.failed(attempt, Instant::now());
        let _waiting = logins.failing.try_acquire().map_err(|_| LoginRefused::Busy)?;
        sleep_until(checked.started + FAILURE_TAKES + extra).await;
        Err(LoginRefused::BadCredentials)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{AccessConfig, secret::Secret};

    #[tokio::test]
    async fn who_is_removed_while_its_password_is_checked_is_not_let_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users");
        let hash = Secret::of_password(b"right").unwrap().encoded();
        std::fs::write(&path, format!("anna operator - {hash}\n")).unwrap();
        let access = Access::open(AccessConfig { users: Some(path.clone()), rules: None }, Anonymous::Refused).unwrap();
        let request = LoginRequest {
            address: [192, 0, 2, 1].into(),
            client_id: "x",
            user: Some("anna"),
            password: Some(b"right"),
            certificate_user: None,
        };
        access.login(&request).await.unwrap();
        let turns = access.0.logins.passwords.take_turns();
        let removed = async {
            std::fs::write(&path, "").unwrap();
            access.reload().unwrap();
            drop(turns);
        };
        let (outcome, ()) = tokio::join!(access.login(&request), removed);
        assert_eq!(outcome.unwrap_err(), LoginRefused::BadCredentials);
    }
}
