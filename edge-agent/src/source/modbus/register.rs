//! Registers, and the numbers in them.

use fogline_protocol::reading::Value;
use serde::Deserialize;
use std::fmt;

/// The four tables of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Table {
    /// Registers that can be written (function 3).
    Holding,
    /// Registers that are measured (function 4).
    Input,
    /// Bits that can be written (function 1).
    Coils,
    /// Bits that are measured (function 2).
    Discrete,
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holding => "holding",
            Self::Input => "input",
            Self::Coils => "coils",
            Self::Discrete => "discrete",
        })
    }
}

/// How a number is written in registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Number {
    /// One register.
    U16,
    /// One, with a sign.
    I16,
    /// Two.
    U32,
    /// Two, with a sign.
    I32,
    /// Two, IEEE 754.
    F32,
    /// Four.
    U64,
    /// Four, with a sign.
    I64,
    /// Four, IEEE 754.
    F64,
}

impl Number {
    /// Registers that it takes.
    #[must_use]
    pub const fn words(self) -> u16 {
        match self {
            Self::U16 | Self::I16 => 1,
            Self::U32 | Self::I32 | Self::F32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }
}

/// A register and the field that it becomes.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// The field.
    pub field: String,
    /// Where it is.
    pub table: Table,
    /// Its address in the protocol, from 0: manuals that count from 40001 say one more.
    pub address: u16,
    /// What is in it. Bits are truth values.
    pub number: Number,
    /// The first register has the lowest bits; otherwise the highest.
    pub little: bool,
}

impl Register {
    /// The number in its registers; none when there are too few, or it is not finite.
    pub(super) fn read(&self, words: &[u16]) -> Option<Value<'static>> {
        let mut ordered: Vec<u16> = words.get(..usize::from(self.number.words()))?.to_vec();
        if self.little {
            ordered.reverse();
        }
        let bits = ordered.iter().fold(0_u64, |bits, word| bits << 16 | u64::from(*word));
        let number = self.number(bits);
        number.is_finite().then_some(Value::Number(number))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "the bits are as many as the type has; counters are below 2^53"
    )]
    fn number(&self, bits: u64) -> f64 {
        match self.number {
            Number::U16 | Number::U32 | Number::U64 => bits as f64,
            Number::I16 => f64::from((bits as u16).cast_signed()),
            Number::I32 => f64::from((bits as u32).cast_signed()),
            Number::I64 => bits.cast_signed() as f64,
            Number::F32 => f64::from(f32::from_bits(bits as u32)),
            Number::F64 => f64::from_bits(bits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_both_orders() {
        let float = 231.5_f32.to_bits();
        let double = (-0.25_f64).to_bits().to_be_bytes();
        let words = |bytes: [u8; 8]| -> Vec<u16> {
            bytes.chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        for (number, words, expected) in [
            (Number::U16, vec![65_535], Some(65_535.0)),
            (Number::I16, vec![65_535], Some(-1.0)),
            (Number::U32, vec![1, 2], Some(65_538.0)),
            (Number::I32, vec![0xFFFF, 0xFFFE], Some(-2.0)),
            (Number::F32, vec![(float >> 16) as u16, (float & 0xFFFF) as u16], Some(231.5)),
            (Number::F32, vec![0x7FC0, 0], None),
            (Number::U64, vec![0, 0, 1, 0], Some(65_536.0)),
            (Number::I64, vec![0xFFFF; 4], Some(-1.0)),
            (Number::F64, words(double), Some(-0.25)),
            (Number::U32, vec![1], None),
        ] {
            let register =
                |little| Register { field: "x".to_owned(), table: Table::Holding, address: 0, number, little };
            let expected = expected.map(Value::Number);
            assert_eq!(register(false).read(&words), expected, "{number:?}");
            let reversed: Vec<u16> = words.iter().rev().copied().collect();
            assert_eq!(register(true).read(&reversed), expected, "{number:?}");
        }
    }
}
