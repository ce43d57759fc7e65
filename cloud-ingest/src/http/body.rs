//! What comes as the body of a request.

use super::error::ApiError;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};

/// 2^53: integers below are floats exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A body that is a JSON object, whatever its `Content-Type` says, or a problem (400) that says what is wrong with it. The door has read it
/// and bounds its size.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let wrong = |why: String| ApiError::BadRequest(format!("the body is not what is asked for, see /docs: {why}"));
        let body = Bytes::from_request(request, state).await.map_err(|error| wrong(error.body_text()))?;
        let json = serde_json::from_slice(&body).map(whole).map_err(|error| wrong(error.to_string()))?;
        // Serde would take a list for the members in their order.
        if !json.is_object() {
            return Err(wrong("it is no JSON object".to_owned()));
        }
        serde_json::from_value(json).map(Self).map_err(|error| wrong(error.to_string()))
    }
}

/// JSON knows no integers: `28.0` is the number 28 (RFC 8259, section 6; JSON Schema, section 6.1.1), and is read as such.
fn whole(json: Value) -> Value {
    match json {
        Value::Number(number) => Value::Number(integer(&number).unwrap_or(number)),
        Value::Array(items) => Value::Array(items.into_iter().map(whole).collect()),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, value)| (name, whole(value))).collect())
        }
        other @ (Value::Null | Value::Bool(_) | Value::String(_)) => other,
    }
}

/// The integer that a float is; none when it is none that both can say.
#[allow(clippy::cast_possible_truncation, reason = "below 2^53, and without a fraction")]
fn integer(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0)?;
    (float.abs() < EXACT).then(|| Number::from(float as i64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whole_floats_are_integers_and_others_stay() {
        let json =
            json!({ "u": 28.0, "ports": [{ "http": 8080.0 }], "mean": 21.5, "large": 1e300, "text": "1.0", "n": 3 });
        let expected =
            json!({ "u": 28, "ports": [{ "http": 8080 }], "mean": 21.5, "large": 1e300, "text": "1.0", "n": 3 });
        assert_eq!(whole(json), expected);
    }
}
