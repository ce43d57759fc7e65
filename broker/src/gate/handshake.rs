//! CONNECT and its answer: who comes, and what session there is.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{
    Gate,
    connection::{Connection, farewell},
    limits::{CLIENT_ID_BYTES, HANDSHAKE_TIMEOUT, RECEIVE_MAXIMUM, TOPIC_ALIAS_MAXIMUM},
};
use crate::{
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
    /// Nothing was sent, or no MQTT: there is nobody to answer to [MQTT-3.1.4-1].
    Silent,
    /// CONNACK says why.
    Answer(Version, Reason),
}

/// Serves one connection, from CONNECT to its end.
pub(super) async fn serve(gate: Arc<Gate>, mut reader: impl AsyncRead + Unpin, mut writer: impl AsyncWrite + Unpin) {
    let handshaking = gate.metrics.handshaking.enter();
    let accepted = timeout(HANDSHAKE_TIMEOUT, shake_hands(&gate, &mut reader, &mut writer)).await;
    drop(handshaking);
    match accepted {
        Ok(Ok((connection, input))) => {
            let connected = gate.metrics.connected.enter();
            connection.serve(reader, writer, input).await;
            drop(connected);
        }
        Ok(Err(Refusal::Answer(version, reason))) => {
            gate.metrics.refuse("connect", reason);
            let mut out = BytesMut::new();
            write_connack(&mut out, version, &refused(reason));
            farewell(&mut reader, &mut writer, out).await;
        }
        Ok(Err(Refusal::Silent)) => gate.metrics.refuse("connect", Reason::MalformedPacket),
        Err(_) => gate.metrics.refuse("connect", Reason::KeepAliveTimeout),
    }
}

async fn shake_hands(
    gate: &Arc<Gate>,
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) -> Result<(Connection, BytesMut), Refusal> {
    let (mut connect, input) = read(gate, reader).await?;
    let version = connect.version;
    let refuse = |reason| Refusal::Answer(version, reason);
    let assigned = name(&mut connect).map_err(refuse)?;
    let will = will(&connect).map_err(refuse)?;
    if connect.wants_enhanced_authentication {
        return Err(refuse(Reason::BadAuthenticationMethod));
    }
    let client_id: Arc<str> = connect.client_id.as_str().into();
    let (seat, session, present) = take_over(gate, &client_id, &connect).await.map_err(refuse)?;
    let keep_alive = keep_alive(&connect, gate.limits.keep_alive);
    let connack = ConnAck {
        session_present: present,
        reason: Reason::Success,
        session_expiry: (session.expiry != connect.session_expiry).then_some(session.expiry),
        receive_maximum: RECEIVE_MAXIMUM,
        maximum_packet_size: u32::try_from(gate.limits.packet_bytes).unwrap_or(u32::MAX),
        topic_alias_maximum: TOPIC_ALIAS_MAXIMUM,
        assigned_client_id: assigned.then_some(&client_id),
        server_keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
    };
    let mut out = BytesMut::new();
    write_connack(&mut out, version, &connack);
    tracing::debug!(?client_id, ?version, session_present = present, "connected");
    let owner = Arc::clone(&client_id);
    let connection = Connection::new(Arc::clone(gate), &connect, keep_alive, (seat, session), will, owner);
    if writer.write_all_buf(&mut out).await.is_err() {
        connection.abandon().await;
        return Err(Refusal::Silent);
    }
    Ok((connection, input))
}

/// Reads until CONNECT is complete, and gives what came after it, too.
async fn read(gate: &Gate, reader: &mut (impl AsyncRead + Unpin)) -> Result<(Connect, BytesMut), Refusal> {
    let mut input = BytesMut::with_capacity(FIRST_READ);
    loop {
        match Frame::cut(&input, gate.limits.packet_bytes) {
            Err(_) => return Err(Refusal::Silent),
            Ok(Some(frame)) if frame.kind != Kind::Connect => return Err(Refusal::Silent),
            Ok(Some(frame)) => {
                let (connect, length) = (Connect::read(frame.body).map_err(refusal)?, frame.length);
                input.advance(length);
                return Ok((connect, input));
            }
            Ok(None) => match reader.read_buf(&mut input).await {
                Ok(0) | Err(_) => return Err(Refusal::Silent),
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
            Refusal::Silent
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

fn will(connect: &Connect) -> Result<Option<Will>, Reason> {
    let Some(request) = &connect.will else { return Ok(None) };
    topic::check_topic(&request.topic).map_err(|_| Reason::TopicNameInvalid)?;
    Ok(Some(Will::new(request, &connect.client_id.as_str().into())))
}

/// The client id, and the session that goes with it: the one there was, if the client wants it and there is one.
async fn take_over(gate: &Arc<Gate>, client_id: &Arc<str>, connect: &Connect) -> Result<(Seat, Session, bool), Reason> {
    let (seat, before) = gate.registry.take(client_id, None).await.map_err(|failure| match failure {
        SeatFailure::OtherUser => Reason::ClientIdentifierNotValid,
        SeatFailure::Timeout => Reason::ServerBusy,
    })?;
    let (mut session, present) = match before {
        Some(mut session) if !connect.clean => {
            // A will that was put off is not published when its client comes back in time [MQTT-3.1.3-9 of 5.0].
            session.will = None;
            session.window.rewind();
            (session, true)
        }
        Some(mut ended) => {
            if let Some(will) = ended.will.take() {
                will.publish(gate).await;
            }
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
