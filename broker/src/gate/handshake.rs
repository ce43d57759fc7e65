//! CONNECT and its answer: who comes, and what session there is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{timeout, timeout_at},
};

use super::{
    Gate, Peer,
    connection::Connection,
    limits::{CLIENT_ID_BYTES, HANDSHAKE_TIMEOUT, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM},
    rights::Rights,
    socket::farewell,
};
use crate::{
    access::{LoginRefused, LoginRequest},
    packet::{ConnAck, Connect, ConnectError, Frame, Kind, Reason, Version, write_connack},
    session::{
        MAX_EXPIRY_SECONDS, Session, Will,
        registry::{Seat, SeatFailure},
    },
    topic,
};

/// Room for a CONNECT; a larger one gets more.
const FIRST_READ: usize = 512;

/// Numbers of clients that did not give themselves a name.
static NEXT_NAME: AtomicU64 = AtomicU64::new(1);

/// Why a connection ends before it has begun.
enum Refusal {
    /// Nothing was sent in time, or no MQTT: there is nobody to answer to [MQTT-3.1.4-1].
    Silent(Reason),
    /// CONNACK says why.
    Answer(Version, Reason),
}

/// Serves one connection, from CONNECT to its end.
pub(super) async fn serve(
    gate: Arc<Gate>,
    peer: Peer,
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
) {
    let handshaking = gate.metrics.handshaking.enter();
    let accepted = shake_hands(&gate, &peer, &mut reader, &mut writer).await;
    drop(handshaking);
    match accepted {
        Ok((connection, input)) => {
            let connected = gate.metrics.connected.enter();
            connection.serve(reader, writer, input, peer.trust).await;
            drop(connected);
        }
        Err(Refusal::Answer(version, reason)) => {
            gate.metrics.refuse("connect", reason);
            let mut out = BytesMut::new();
            write_connack(&mut out, version, &refused(reason));
            farewell(&mut reader, &mut writer, out).await;
        }
        Err(Refusal::Silent(reason)) => gate.metrics.refuse("connect", reason),
    }
}

async fn shake_hands(
    gate: &Arc<Gate>,
    peer: &Peer,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<(Connection, BytesMut), Refusal> {
    let (mut connect, input) = timeout_at(peer.connect_until, read(gate, reader))
        .await
        .map_err(|_| Refusal::Silent(Reason::KeepAliveTimeout))??;
    let version = connect.version;
    let refuse = |reason| Refusal::Answer(version, reason);
    if connect.wants_enhanced_authentication {
        return Err(refuse(Reason::BadAuthenticationMethod));
    }
    let assigned = name(&mut connect).map_err(refuse)?;
    let mut rights = log_in(gate, peer, &connect).await.map_err(refuse)?;
    let will = will(&connect, &rights).map_err(refuse)?;
    let (seat, session, present) = take_over(gate, &mut rights, &connect).await.map_err(refuse)?;
    let keep_alive = keep_alive(&connect, gate.limits().keep_alive);
    let connack = ConnAck {
        session_present: present,
        reason: Reason::Success,
        session_expiry: (session.expiry != connect.session_expiry).then_some(session.expiry),
        receive_maximum: RECEIVE_MAXIMUM,
        maximum_packet_size: u32::try_from(gate.limits().packet_bytes).unwrap_or(u32::MAX),
        topic_alias_maximum: TOPIC_ALIAS_MAXIMUM,
        assigned_client_id: assigned.then_some(&connect.client_id),
        server_keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
    };
    let mut out = BytesMut::new();
    write_connack(&mut out, version, &connack);
    tracing::debug!(client_id = ?connect.client_id, ?version, session_present = present, "connected");
    let connection = Connection::new(Arc::clone(gate), &connect, keep_alive, (seat, session), will, rights);
    match timeout(HANDSHAKE_TIMEOUT, writer.write_all_buf(&mut out)).await {
        Ok(Ok(())) => Ok((connection, input)),
        _ => {
            connection.abandon().await;
            Err(Refusal::Silent(Reason::KeepAliveTimeout))
        }
    }
}

/// Reads until CONNECT is complete, and gives what came after it, too.
async fn read(gate: &Gate, reader: &mut (impl AsyncRead + Unpin)) -> Result<(Connect, BytesMut), Refusal> {
    let mut input = BytesMut::with_capacity(FIRST_READ);
    loop {
        match Frame::cut(&input, gate.limits().packet_bytes) {
            Err(_) => return Err(Refusal::Silent(Reason::MalformedPacket)),
            Ok(Some(frame)) if frame.kind != Kind::Connect => return Err(Refusal::Silent(Reason::MalformedPacket)),
            Ok(Some(frame)) => {
                let (connect, length) = (Connect::read(frame.body).map_err(refusal)?, frame.length);
                input.advance(length);
                return Ok((connect, input));
            }
            Ok(None) => match reader.read_buf(&mut input).await {
                Ok(0) | Err(_) => return Err(Refusal::Silent(Reason::MalformedPacket)),
                Ok(_) => {}
            },
        }
    }
}

/// A version that is not spoken here is told so in the words of 3.1.1, which all understand [MQTT-3.1.2-2].
fn refusal(error: ConnectError) -> Refusal {
    match error {
        ConnectError::Version(level) if level > 5 => Refusal::Answer(Version::V5, Reason::UnsupportedProtocolVersion),
        ConnectError::Version(_) => Refusal::Answer(Version::V311, Reason::UnsupportedProtocolVersion),
        ConnectError::Malformed(malformed) => {
            tracing::debug!(%malformed, "not a CONNECT");
            Refusal::Silent(Reason::MalformedPacket)
        }
    }
}

/// Gives a name to a client that has none; true if it did. In 3.1.1 such a client cannot have a session that lasts [MQTT-3.1.3-8].
fn name(connect: &mut Connect) -> Result<bool, Reason> {
    if connect.client_id.len() > CLIENT_ID_BYTES {
        return Err(Reason::ClientIdentifierNotValid);
    }
    if !connect.client_id.is_empty() {
        return Ok(false);
    }
    if connect.version == Version::V311 && !connect.clean {
        return Err(Reason::ClientIdentifierNotValid);
    }
    // A name that comes again after a restart finds no session, as none outlives the broker.
    connect.client_id = format!("auto-{}", NEXT_NAME.fetch_add(1, Ordering::Relaxed));
    Ok(true)
}

/// Who it is, if it may come in. The ear for changes is opened before, so that none is missed.
async fn log_in(gate: &Gate, peer: &Peer, connect: &Connect) -> Result<Rights, Reason> {
    let changes = gate.access.changes();
    let request = LoginRequest {
        address: peer.address,
        client_id: &connect.client_id,
        user: connect.user.as_deref(),
        password: connect.password.as_deref(),
        certificate_user: peer.certificate_user.as_deref(),
    };
    match gate.access.login(&request).await {
        Ok(identity) => Ok(Rights::new(identity, changes)),
        Err(LoginRefused::BadCredentials) => Err(Reason::BadUserNameOrPassword),
        Err(LoginRefused::NotAuthorized) => Err(Reason::NotAuthorized),
        Err(LoginRefused::TooManyAttempts { .. }) => Err(Reason::ConnectionRateExceeded),
        Err(LoginRefused::Busy) => Err(Reason::ServerBusy),
    }
}

fn will(connect: &Connect, rights: &Rights) -> Result<Option<Will>, Reason> {
    let Some(request) = &connect.will else { return Ok(None) };
    topic::check_topic(&request.topic).map_err(|_| Reason::TopicNameInvalid)?;
    if !rights.identity.may_publish(&request.topic) {
        return Err(Reason::NotAuthorized);
    }
    Ok(Some(Will::new(request, &rights.owner, &rights.identity)))
}

/// The client id, and the session that goes with it: the one there was, if the client wants it and there is one.
async fn take_over(gate: &Arc<Gate>, rights: &mut Rights, connect: &Connect) -> Result<(Seat, Session, bool), Reason> {
    let client_id = connect.client_id.as_str().into();
    let (seat, before) =
        gate.registry.take(&client_id, rights.user.as_ref()).await.map_err(|failure| match failure {
            SeatFailure::OtherUser => Reason::ClientIdentifierNotValid,
            SeatFailure::Timeout => Reason::ServerBusy,
        })?;
    let (mut session, present) = match before {
        Some(mut session) if !connect.clean => {
            // A will that was put off is not published when its client comes back in time [MQTT-3.1.3-9 of 5.0].
            session.will = None;
            session.window.rewind();
            rights.restrict(&mut session);
            session.backlog.wake();
            (session, true)
        }
        Some(mut ended) => {
            ended.publish_will().await;
            (Session::new(gate), false)
        }
        None => (Session::new(gate), false),
    };
    session.expiry = connect.session_expiry.min(MAX_EXPIRY_SECONDS);
    Ok((seat, session, present))
}

/// MQTT 5.0 lets the server set an upper bound [MQTT-3.2.2-21]; 3.1.1 does not, and 0 stays "any silence".
fn keep_alive(connect: &Connect, longest: u16) -> u16 {
    match connect.version {
        Version::V311 => connect.keep_alive,
        Version::V5 => connect.keep_alive.min(longest),
    }
}

fn refused(reason: Reason) -> ConnAck<'static> {
    ConnAck {
        session_present: false,
        reason,
        session_expiry: None,
        receive_maximum: RECEIVE_MAXIMUM,
        maximum_packet_size: 0,
        topic_alias_maximum: 0,
        assigned_client_id: None,
        server_keep_alive: None,
    }
}
