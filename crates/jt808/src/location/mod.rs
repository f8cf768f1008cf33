//! The location report 0x0200 (位置信息汇报): a view over its bytes for the hot path, and an owned form.

mod bits;
mod item_value;
mod items;
mod report;
mod view;

pub use item_value::ItemValue;
pub use items::{Item, ItemView, Items};
pub use report::LocationReport;
pub use view::{BASE_LEN, LocationView};

/// Bits of the status word that a decoder cannot do without (状态位).
pub mod status {
    /// ACC on.
    pub const ACC_ON: u32 = 1;
    /// The position is a fix.
    pub const POSITIONED: u32 = 1 << 1;
    /// South latitude.
    pub const SOUTH: u32 = 1 << 2;
    /// West longitude.
    pub const WEST: u32 = 1 << 3;
    /// Coordinates went through the shift plug-in (保密插件).
    pub const ENCRYPTED: u32 = 1 << 5;
}

/// Signed millionths of a degree. Beyond `i32` there is no coordinate, so it saturates.
fn signed_e6(magnitude: u32, status: u32, negative: u32) -> i32 {
    let magnitude = i32::try_from(magnitude).unwrap_or(i32::MAX);
    if status & negative == 0 { magnitude } else { -magnitude }
}

/// Metres. Some terminals send negative heights as two's complement.
fn signed_altitude_m(raw: u16) -> i32 {
    if raw > 0x8000 { i32::from(raw as i16) } else { i32::from(raw) }
}
