//! A straight line: what scaling, an offset and a conversion of units come to.

/// `value * scale + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// The factor. Not zero.
    pub scale: f64,
    /// What is added after it.
    pub offset: f64,
}

impl Linear {
    /// Changes nothing.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// The value on the line.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        value.mul_add(self.scale, self.offset)
    }

    /// This one first, the other on what it gives.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self { scale: self.scale * next.scale, offset: self.offset.mul_add(next.scale, next.offset) }
    }

    /// The way back.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self { scale: 1.0 / self.scale, offset: -self.offset / self.scale }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_turned_round() {
        let to_fahrenheit = Linear { scale: 1.8, offset: 32.0 };
        let tenths = Linear { scale: 0.1, offset: 0.0 };
        assert!((tenths.then(to_fahrenheit).apply(200.0) - 68.0).abs() < 1e-9);
        assert!((to_fahrenheit.inverse().apply(68.0) - 20.0).abs() < 1e-9);
        assert_eq!(Linear::IDENTITY.apply(7.5), 7.5);
    }
}
