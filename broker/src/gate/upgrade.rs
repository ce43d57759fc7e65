//! Who may open a WebSocket: clients that speak MQTT, and no pages of other sites.
//!
//! A browser opens a WebSocket to any address that a page names, this machine's too, and says only which page it was. Without
//! a look at that, every site that somebody on this machine visits could talk to a broker that is open to this machine only.

use fogline_door::http::{is_cross_site, is_for_loopback};
use tokio_tungstenite::tungstenite::{
    handshake::server::{ErrorResponse, Request, Response},
    http::{
        HeaderValue, StatusCode,
        header::{ORIGIN, SEC_WEBSOCKET_PROTOCOL},
    },
};

/// The sub-protocol of 3.1.1 and 5.0. That of 3.1 is "mqttv3.1".
const MQTT: &str = "mqtt";

/// Whose pages may come. What is no browser says nothing of a page, and may.
#[derive(Debug)]
pub(crate) struct Origins {
    /// As browsers say it, like `https://fogline.example:8080`. Pages that the broker's own address serves may come, too.
    pub(crate) allowed: Vec<String>,
    /// The listener is on a loopback address, for which no other name may stand (DNS rebinding).
    pub(crate) loopback: bool,
    /// The listener has TLS.
    pub(crate) secure: bool,
}

/// The answer to a request for a WebSocket.
#[expect(clippy::result_large_err, reason = "the library wants it so, once for each connection")]
pub(super) fn answer(request: &Request, mut response: Response, origins: &Origins) -> Result<Response, ErrorResponse> {
    if !origins.admit(request) {
        return Err(refused(
            StatusCode::FORBIDDEN,
            "A page of another site may not talk to this broker; name its origin with --ws-origins.\n",
        ));
    }
    if !speaks_mqtt(request) {
        return Err(refused(
            StatusCode::BAD_REQUEST,
            "MQTT 3.1.1 or 5.0 is spoken here: ask for the sub-protocol mqtt.\n",
        ));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(MQTT));
    Ok(response)
}

fn refused(status: StatusCode, text: &str) -> ErrorResponse {
    let mut response = ErrorResponse::new(Some(text.to_owned()));
    *response.status_mut() = status;
    response
}

fn speaks_mqtt(request: &Request) -> bool {
    let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|offer| offer.to_str().ok());
    offers.flat_map(|offer| offer.split(',')).any(|offer| offer.trim() == MQTT)
}

impl Origins {
    fn admit(&self, request: &Request) -> bool {
        let headers = request.headers();
        let mut pages = headers.get_all(ORIGIN).iter().peekable();
        if pages.peek().is_none() {
            return !is_cross_site(headers, self.secure);
        }
        let allowed = |page: &HeaderValue| self.allowed.iter().any(|allowed| page.as_bytes() == allowed.as_bytes());
        if pages.all(allowed) {
            return true;
        }
        let named_well = !self.loopback || is_for_loopback(&request.clone().into_parts().0);
        named_well && !is_cross_site(headers, self.secure)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(headers: &[(&str, &str)], origins: &Origins) -> u16 {
        let mut request = Request::builder().uri("/mqtt");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        match answer(&request.body(()).unwrap(), Response::new(()), origins) {
            Ok(response) => {
                assert_eq!(response.headers()["sec-websocket-protocol"], "mqtt");
                101
            }
            Err(response) => response.status().as_u16(),
        }
    }

    const LOCAL: (&str, &str) = ("host", "127.0.0.1:9001");

    fn of_page(host: &str, origin: &str, origins: &Origins) -> u16 {
        status(&[("host", host), ("sec-websocket-protocol", "mqtt"), ("origin", origin)], origins)
    }

    fn loopback() -> Origins {
        Origins { allowed: vec!["https://fogline.example:8080".to_owned()], loopback: true, secure: false }
    }

    #[test]
    fn only_todays_mqtt_is_spoken() {
        for (offer, expected) in
            [("mqtt", 101), ("mqttv3.1, mqtt", 101), ("mqttv3.1", 400), ("MQTT", 400), ("chat", 400), ("", 400)]
        {
            assert_eq!(status(&[LOCAL, ("sec-websocket-protocol", offer)], &loopback()), expected, "{offer}");
        }
        assert_eq!(status(&[LOCAL], &loopback()), 400, "nothing is offered");
    }

    #[test]
    fn pages_of_other_sites_are_refused() {
        for origin in ["http://evil.example", "null", "http://127.0.0.1:8080", ""] {
            assert_eq!(of_page("127.0.0.1:9001", origin, &loopback()), 403, "{origin}");
        }
        assert_eq!(of_page("127.0.0.1:9001", "http://127.0.0.1:9001", &loopback()), 101);
        assert_eq!(of_page("127.0.0.1:9001", "https://fogline.example:8080", &loopback()), 101);
    }

    #[test]
    fn a_site_that_makes_its_name_lead_here_is_refused() {
        assert_eq!(of_page("evil.example:9001", "http://evil.example:9001", &loopback()), 403);
        let open = Origins { loopback: false, ..loopback() };
        assert_eq!(of_page("broker.example:9001", "http://broker.example:9001", &open), 101);
    }

    #[test]
    fn every_page_that_is_named_counts() {
        let headers = [
            LOCAL,
            ("sec-websocket-protocol", "mqtt"),
            ("origin", "https://fogline.example:8080"),
            ("origin", "http://evil.example"),
        ];
        assert_eq!(status(&headers, &loopback()), 403);
    }

    #[test]
    fn a_page_without_tls_does_not_come_to_a_listener_with_it() {
        let secure = Origins { loopback: false, secure: true, allowed: Vec::new() };
        assert_eq!(of_page("broker.example", "http://broker.example", &secure), 403);
        assert_eq!(of_page("broker.example", "https://broker.example", &secure), 101);
    }
}
