//! What the standard's additional items mean. JT/T 808-2019 8.21, JT/T 1078-2016.

use super::Item;
use crate::print::bit_names;
use serde_json::{Value, json};

/// Places that an item refers to (位置类型).
const PLACES: [&str; 5] = ["none", "circle", "rectangle", "polygon", "route"];
/// Item 0x12, direction (方向).
const DIRECTIONS: [&str; 2] = ["in", "out"];
/// Item 0x13, result (结果).
const SEGMENT_RESULTS: [&str; 2] = ["too_short", "too_long"];
/// Item 0x14 (视频相关报警).
const VIDEO_ALARMS: [(u8, &str); 7] = [
    (0, "video_signal_loss"),
    (1, "video_signal_masked"),
    (2, "storage_fault"),
    (3, "other_video_device_fault"),
    (4, "passenger_overload"),
    (5, "abnormal_driving"),
    (6, "special_recording_limit"),
];
/// Item 0x18 (异常驾驶行为).
const ABNORMAL_DRIVING: [(u8, &str); 3] = [(0, "fatigue"), (1, "phone"), (2, "smoking")];
/// Item 0x25 (扩展车辆信号状态位).
const VEHICLE_SIGNALS: [(u8, &str); 15] = [
    (0, "low_beam"),
    (1, "high_beam"),
    (2, "right_indicator"),
    (3, "left_indicator"),
    (4, "brake"),
    (5, "reverse"),
    (6, "fog_lamp"),
    (7, "outline_lamp"),
    (8, "horn"),
    (9, "air_conditioner"),
    (10, "neutral"),
    (11, "retarder"),
    (12, "abs"),
    (13, "heater"),
    (14, "clutch"),
];
/// Item 0x2A (IO状态位).
const IO_STATUS: [(u8, &str); 2] = [(0, "deep_sleep"), (1, "sleep")];
/// Item 0x17: bits from here on are stores for disaster backup.
const BACKUP_STORE_SHIFT: u32 = 12;
/// Item 0x06: the sign, and below it the values of both ways to write a negative number.
const SIGN_BIT: u16 = 0x8000;
const TWOS_COMPLEMENT_FROM: u16 = 0xf000;

/// A standard item's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ItemValue {
    /// 0x01 里程: odometer, tenths of a km.
    Mileage(u32),
    /// 0x02 油量: tenths of a litre.
    Fuel(u16),
    /// 0x03 行驶记录速度: tenths of a km/h.
    RecorderSpeed(u16),
    /// 0x04 需要人工确认报警事件的ID
    ManualAlarmEvent(u16),
    /// 0x05 胎压 (2019): one byte a wheel, front to rear, left to right, 0xFF unused. The standard
    /// does not define the scale.
    TyrePressures([u8; 30]),
    /// 0x06 车厢温度 (2019): degrees C.
    CompartmentTemperature(i16),
    /// 0x11 超速报警附加信息
    OverSpeed {
        /// 0 none, 1 circle, 2 rectangle, 3 polygon, 4 road segment.
        place: u8,
        /// Area or segment, absent in the short form.
        area: Option<u32>,
    },
    /// 0x12 进出区域/路线报警附加信息
    AreaCrossing {
        /// 1 circle, 2 rectangle, 3 polygon, 4 route.
        place: u8,
        /// Area or route.
        area: u32,
        /// 0 in, 1 out.
        direction: u8,
    },
    /// 0x13 路段行驶时间不足/过长报警附加信息
    SegmentTime {
        /// Segment (路段ID).
        segment: u32,
        /// Seconds in it.
        duration_s: u16,
        /// 0 too short, 1 too long.
        result: u8,
    },
    /// 0x14 视频相关报警
    VideoAlarm(u32),
    /// 0x15 视频信号丢失: bit n is logical channel n + 1.
    VideoLoss(u32),
    /// 0x16 视频信号遮挡: bit n is logical channel n + 1.
    VideoMasked(u32),
    /// 0x17 存储器故障: bits 0-11 main stores 1-12, bits 12-15 backup stores 1-4.
    StorageFault(u16),
    /// 0x18 异常驾驶行为
    AbnormalDriving {
        /// Bit 0 fatigue, 1 phone, 2 smoking, 11-15 user-defined.
        kinds: u16,
        /// Degree of fatigue, 0-100; the printed length has no room for it, most terminals send it.
        fatigue: Option<u8>,
    },
    /// 0x25 扩展车辆信号状态位
    VehicleSignals(u32),
    /// 0x2A IO状态位
    IoStatus(u16),
    /// 0x2B 模拟量: AD0, AD1.
    Analog(u16, u16),
    /// 0x30 无线通信网络信号强度
    SignalStrength(u8),
    /// 0x31 GNSS定位卫星数
    Satellites(u8),
}

/// Sign and magnitude as the standard prints it; two's complement, which terminals send, where
/// only that gives a temperature.
fn temperature_c(raw: u16) -> i16 {
    if raw & SIGN_BIT == 0 || raw >= TWOS_COMPLEMENT_FROM { raw as i16 } else { -((raw & !SIGN_BIT) as i16) }
}

impl ItemValue {
    // Across crates this is called for each item of each report; without the hint it costs half of the decoding.
    #[inline]
    pub(crate) fn decode(id: u8, raw: &[u8]) -> Option<Self> {
        let word = |hi, lo| u16::from_be_bytes([hi, lo]);
        let dword = |a, b, c, d| u32::from_be_bytes([a, b, c, d]);
        Some(match (id, raw) {
            (0x01, &[a, b, c, d]) => Self::Mileage(dword(a, b, c, d)),
            (0x02, &[a, b]) => Self::Fuel(word(a, b)),
            (0x03, &[a, b]) => Self::RecorderSpeed(word(a, b)),
            (0x04, &[a, b]) => Self::ManualAlarmEvent(word(a, b)),
            (0x05, raw) => Self::TyrePressures(raw.try_into().ok()?),
            (0x06, &[a, b]) => Self::CompartmentTemperature(temperature_c(word(a, b))),
            (0x11, &[place]) => Self::OverSpeed { place, area: None },
            (0x11, &[place, a, b, c, d]) => Self::OverSpeed { place, area: Some(dword(a, b, c, d)) },
            (0x12, &[place, a, b, c, d, direction]) => Self::AreaCrossing { place, area: dword(a, b, c, d), direction },
            (0x13, &[a, b, c, d, e, f, result]) => {
                Self::SegmentTime { segment: dword(a, b, c, d), duration_s: word(e, f), result }
            }
            (0x14, &[a, b, c, d]) => Self::VideoAlarm(dword(a, b, c, d)),
            (0x15, &[a, b, c, d]) => Self::VideoLoss(dword(a, b, c, d)),
            (0x16, &[a, b, c, d]) => Self::VideoMasked(dword(a, b, c, d)),
            (0x17, &[a, b]) => Self::StorageFault(word(a, b)),
            (0x18, &[a, b]) => Self::AbnormalDriving { kinds: word(a, b), fatigue: None },
            (0x18, &[a, b, fatigue]) => Self::AbnormalDriving { kinds: word(a, b), fatigue: Some(fatigue) },
            (0x25, &[a, b, c, d]) => Self::VehicleSignals(dword(a, b, c, d)),
            (0x2a, &[a, b]) => Self::IoStatus(word(a, b)),
            (0x2b, &[a, b, c, d]) => Self::Analog(word(c, d), word(a, b)),
            (0x30, &[strength]) => Self::SignalStrength(strength),
            (0x31, &[count]) => Self::Satellites(count),
            _ => return None,
        })
    }

    /// Item id and name.
    fn kind(self) -> (u8, &'static str) {
        match self {
            Self::Mileage(_) => (0x01, "mileage"),
            Self::Fuel(_) => (0x02, "fuel"),
            Self::RecorderSpeed(_) => (0x03, "recorder_speed"),
            Self::ManualAlarmEvent(_) => (0x04, "manual_alarm_event"),
            Self::TyrePressures(_) => (0x05, "tyre_pressures"),
            Self::CompartmentTemperature(_) => (0x06, "compartment_temperature"),
            Self::OverSpeed { .. } => (0x11, "over_speed"),
            Self::AreaCrossing { .. } => (0x12, "area_crossing"),
            Self::SegmentTime { .. } => (0x13, "segment_time"),
            Self::VideoAlarm(_) => (0x14, "video_alarm"),
            Self::VideoLoss(_) => (0x15, "video_signal_loss"),
            Self::VideoMasked(_) => (0x16, "video_signal_masked"),
            Self::StorageFault(_) => (0x17, "storage_fault"),
            Self::AbnormalDriving { .. } => (0x18, "abnormal_driving"),
            Self::VehicleSignals(_) => (0x25, "vehicle_signals"),
            Self::IoStatus(_) => (0x2a, "io_status"),
            Self::Analog(..) => (0x2b, "analog"),
            Self::SignalStrength(_) => (0x30, "signal_strength"),
            Self::Satellites(_) => (0x31, "satellites"),
        }
    }

    /// English name, snake_case.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.kind().1
    }

    /// The item that carries this value.
    #[must_use]
    pub fn to_item(self) -> Item {
        let mut raw = smallvec::SmallVec::<[u8; 32]>::new();
        match self {
            Self::Mileage(v)
            | Self::VideoAlarm(v)
            | Self::VideoLoss(v)
            | Self::VideoMasked(v)
            | Self::VehicleSignals(v) => raw.extend(v.to_be_bytes()),
            Self::Fuel(v)
            | Self::RecorderSpeed(v)
            | Self::ManualAlarmEvent(v)
            | Self::StorageFault(v)
            | Self::IoStatus(v) => raw.extend(v.to_be_bytes()),
            Self::TyrePressures(wheels) => raw.extend(wheels),
            Self::CompartmentTemperature(c) => {
                let sign = if c < 0 { SIGN_BIT } else { 0 };
                raw.extend((c.unsigned_abs() & !SIGN_BIT | sign).to_be_bytes());
            }
            Self::OverSpeed { place, area } => {
                raw.push(place);
                raw.extend(area.map(u32::to_be_bytes).into_iter().flatten());
            }
            Self::AreaCrossing { place, area, direction } => {
                raw.push(place);
                raw.extend(area.to_be_bytes());
                raw.push(direction);
            }
            Self::SegmentTime { segment, duration_s, result } => {
                raw.extend(segment.to_be_bytes());
                raw.extend(duration_s.to_be_bytes());
                raw.push(result);
            }
            Self::AbnormalDriving { kinds, fatigue } => {
                raw.extend(kinds.to_be_bytes());
                raw.extend(fatigue);
            }
            Self::Analog(ad0, ad1) => {
                raw.extend(ad1.to_be_bytes());
                raw.extend(ad0.to_be_bytes());
            }
            Self::SignalStrength(v) | Self::Satellites(v) => raw.push(v),
        }
        Item::new(self.kind().0, &raw)
    }

    pub(super) fn print(self) -> Value {
        let tenths = |v: u32| f64::from(v) / 10.0;
        let place_name = |place: u8| PLACES.get(usize::from(place));
        let bits = |v: u32, table: &[_]| json!({ "bits": v, "names": bit_names(v, table) });
        match self {
            Self::Mileage(v) => json!({ "mileage_km": tenths(v) }),
            Self::Fuel(v) => json!({ "fuel_l": tenths(v.into()) }),
            Self::RecorderSpeed(v) => json!({ "speed_kmh": tenths(v.into()) }),
            Self::ManualAlarmEvent(v) => json!({ "event_id": v }),
            Self::TyrePressures(wheels) => json!({ "wheels_raw": wheels }),
            Self::CompartmentTemperature(v) => json!({ "temperature_c": v }),
            Self::OverSpeed { place, area } => json!({
                "place": place,
                "place_name": place_name(place),
                "area_id": area,
            }),
            Self::AreaCrossing { place, area, direction } => json!({
                "place": place,
                "place_name": place_name(place),
                "area_id": area,
                "direction": direction,
                "direction_name": DIRECTIONS.get(usize::from(direction)),
            }),
            Self::SegmentTime { segment, duration_s, result } => json!({
                "segment_id": segment,
                "duration_s": duration_s,
                "result": result,
                "result_name": SEGMENT_RESULTS.get(usize::from(result)),
            }),
            Self::VideoAlarm(v) => bits(v, &VIDEO_ALARMS),
            Self::VideoLoss(v) | Self::VideoMasked(v) => json!({ "channels": set_bits(v) }),
            Self::StorageFault(v) => {
                let v = u32::from(v);
                let main = v & ((1 << BACKUP_STORE_SHIFT) - 1);
                json!({ "main": set_bits(main), "backup": set_bits(v >> BACKUP_STORE_SHIFT) })
            }
            Self::AbnormalDriving { kinds, fatigue } => {
                let mut printed = bits(kinds.into(), &ABNORMAL_DRIVING);
                printed["fatigue_degree"] = json!(fatigue);
                printed
            }
            Self::VehicleSignals(v) => bits(v, &VEHICLE_SIGNALS),
            Self::IoStatus(v) => bits(v.into(), &IO_STATUS),
            Self::Analog(ad0, ad1) => json!({ "ad0": ad0, "ad1": ad1 }),
            Self::SignalStrength(v) => json!({ "signal_strength": v }),
            Self::Satellites(v) => json!({ "satellites": v }),
        }
    }
}

/// Numbers of the set bits, from 1, as channels and stores are counted.
fn set_bits(bits: u32) -> Vec<u8> {
    (0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| bit + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (id, value bytes, name, what prints)
    const CASES: [(u8, &[u8], &str, &str); 23] = [
        (0x01, &[0, 0, 0x30, 0x3a], "mileage", r#"{"mileage_km":1234.6}"#),
        (0x02, &[1, 0xe3], "fuel", r#"{"fuel_l":48.3}"#),
        (0x03, &[2, 0x5d], "recorder_speed", r#"{"speed_kmh":60.5}"#),
        (0x04, &[0, 9], "manual_alarm_event", r#"{"event_id":9}"#),
        (0x06, &[0, 25], "compartment_temperature", r#"{"temperature_c":25}"#),
        (0x06, &[0x80, 18], "compartment_temperature", r#"{"temperature_c":-18}"#),
        (0x11, &[0], "over_speed", r#"{"place":0,"place_name":"none","area_id":null}"#),
        (0x11, &[4, 0, 0, 0, 7], "over_speed", r#"{"place":4,"place_name":"route","area_id":7}"#),
        (
            0x12,
            &[3, 0, 0, 0, 8, 1],
            "area_crossing",
            r#"{"place":3,"place_name":"polygon","area_id":8,"direction":1,"direction_name":"out"}"#,
        ),
        (
            0x13,
            &[0, 0, 0, 5, 0, 90, 0],
            "segment_time",
            r#"{"segment_id":5,"duration_s":90,"result":0,"result_name":"too_short"}"#,
        ),
        (0x14, &[0, 0, 0, 0x11], "video_alarm", r#"{"bits":17,"names":["video_signal_loss","passenger_overload"]}"#),
        (0x15, &[0, 0, 0, 5], "video_signal_loss", r#"{"channels":[1,3]}"#),
        (0x16, &[0x80, 0, 0, 0], "video_signal_masked", r#"{"channels":[32]}"#),
        (0x17, &[0x18, 0x01], "storage_fault", r#"{"main":[1,12],"backup":[1]}"#),
        (0x18, &[0, 3], "abnormal_driving", r#"{"bits":3,"names":["fatigue","phone"],"fatigue_degree":null}"#),
        (0x18, &[0, 4, 50], "abnormal_driving", r#"{"bits":4,"names":["smoking"],"fatigue_degree":50}"#),
        (0x25, &[0, 0, 0x10, 0x11], "vehicle_signals", r#"{"bits":4113,"names":["low_beam","brake","abs"]}"#),
        (0x2a, &[0, 2], "io_status", r#"{"bits":2,"names":["sleep"]}"#),
        (0x2b, &[0, 61, 0, 45], "analog", r#"{"ad0":45,"ad1":61}"#),
        (0x30, &[29], "signal_strength", r#"{"signal_strength":29}"#),
        (0x31, &[12], "satellites", r#"{"satellites":12}"#),
        (
            0x13,
            &[0, 0, 0, 5, 0, 90, 9],
            "segment_time",
            r#"{"segment_id":5,"duration_s":90,"result":9,"result_name":null}"#,
        ),
        (
            0x05,
            &[0xff; 30],
            "tyre_pressures",
            r#"{"wheels_raw":[255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255,255]}"#,
        ),
    ];

    #[test]
    fn values_by_table() {
        for (id, raw, name, printed) in CASES {
            let value = ItemValue::decode(id, raw).unwrap();
            assert_eq!(value.name(), name);
            assert_eq!(value.print().to_string(), printed);
            assert_eq!(value.to_item(), Item::new(id, raw));
        }
    }

    #[test]
    fn another_length_is_another_vendor() {
        for (id, raw, ..) in CASES {
            let mut longer = raw.to_vec();
            longer.extend([0; 9]);
            assert_eq!(ItemValue::decode(id, &longer), None);
            assert_eq!(ItemValue::decode(id, &[]), None);
        }
        assert_eq!(ItemValue::decode(0x64, &[0, 0, 0x20, 0xd0]), None);
    }

    #[test]
    fn temperatures_in_both_notations() {
        let cases = [(0x0019, 25), (0x8012, -18), (0xffee, -18), (0x7fff, 32767), (0x8000, 0)];
        for (raw, celsius) in cases {
            assert_eq!(temperature_c(raw), celsius);
        }
    }
}
