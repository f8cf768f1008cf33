//! Room `jt808`.
