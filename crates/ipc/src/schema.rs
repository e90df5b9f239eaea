//! The wire as documents for others.
