//! Names of the alarm and status bits, by edition (JT/T 808-2019 8.21).

use crate::Edition::{self, V2011, V2013, V2019};
use serde_json::Value;

/// Status bits 8-9: load (载重).
const LOAD_SHIFT: u32 = 8;
const LOAD_MASK: u32 = 3 << LOAD_SHIFT;
const LOADS: [&str; 4] = ["empty", "half", "reserved", "full"];

/// A bit, the editions it belongs to, its name there.
type Row = (u8, Edition, Edition, &'static str);

/// Alarm flags (报警标志).
const ALARMS: &[Row] = &[
    (0, V2011, V2019, "emergency"),
    (1, V2011, V2019, "over_speed"),
    (2, V2011, V2019, "fatigue_driving"),
    (3, V2011, V2011, "warning"),
    (3, V2013, V2013, "danger_warning"),
    (3, V2019, V2019, "dangerous_driving"),
    (4, V2011, V2019, "gnss_module_fault"),
    (5, V2011, V2019, "gnss_antenna_disconnected"),
    (6, V2011, V2019, "gnss_antenna_short_circuit"),
    (7, V2011, V2019, "main_power_under_voltage"),
    (8, V2011, V2019, "main_power_lost"),
    (9, V2011, V2019, "display_fault"),
    (10, V2011, V2019, "tts_fault"),
    (11, V2011, V2019, "camera_fault"),
    (12, V2013, V2019, "ic_card_module_fault"),
    (13, V2013, V2019, "over_speed_warning"),
    (14, V2013, V2019, "fatigue_driving_warning"),
    (15, V2019, V2019, "forbidden_period_driving"),
    (16, V2019, V2019, "tyre_pressure_warning"),
    (17, V2019, V2019, "right_turn_blind_area"),
    (18, V2011, V2019, "daily_driving_time_exceeded"),
    (19, V2011, V2019, "parked_too_long"),
    (20, V2011, V2019, "area_crossed"),
    (21, V2011, V2019, "route_crossed"),
    (22, V2011, V2019, "segment_time"),
    (23, V2011, V2019, "route_deviation"),
    (24, V2011, V2019, "vss_fault"),
    (25, V2011, V2019, "fuel_level_abnormal"),
    (26, V2011, V2019, "vehicle_stolen"),
    (27, V2011, V2019, "illegal_ignition"),
    (28, V2011, V2019, "illegal_displacement"),
    (29, V2013, V2013, "collision_warning"),
    (29, V2019, V2019, "collision_rollover"),
    (30, V2013, V2019, "rollover_warning"),
    (31, V2013, V2013, "illegal_door_opening"),
];

/// Status bits (状态位), the two of the load aside.
const STATUS: &[Row] = &[
    (0, V2011, V2019, "acc_on"),
    (1, V2011, V2019, "positioned"),
    (2, V2011, V2019, "south"),
    (3, V2011, V2019, "west"),
    (4, V2011, V2019, "out_of_operation"),
    (5, V2011, V2019, "coordinates_encrypted"),
    (6, V2019, V2019, "forward_collision_warning"),
    (7, V2019, V2019, "lane_departure_warning"),
    (10, V2011, V2019, "fuel_line_cut"),
    (11, V2011, V2019, "circuit_cut"),
    (12, V2011, V2019, "doors_locked"),
    (13, V2013, V2019, "front_door_open"),
    (14, V2013, V2019, "middle_door_open"),
    (15, V2013, V2019, "rear_door_open"),
    (16, V2013, V2019, "driver_door_open"),
    (17, V2013, V2019, "door5_open"),
    (18, V2013, V2019, "gps_used"),
    (19, V2013, V2019, "beidou_used"),
    (20, V2013, V2019, "glonass_used"),
    (21, V2013, V2019, "galileo_used"),
    (22, V2019, V2019, "moving"),
];

fn name(table: &[Row], bit: u8, edition: Edition) -> String {
    table
        .iter()
        .find(|(at, from, to, _)| *at == bit && (*from..=*to).contains(&edition))
        .map_or_else(|| format!("reserved_{bit}"), |row| row.3.to_owned())
}

fn names(table: &[Row], bits: u32, edition: Edition) -> Vec<Value> {
    (0..32).filter(|bit| bits >> bit & 1 == 1).map(|bit| Value::String(name(table, bit, edition))).collect()
}

/// Names of the set alarm bits. A bit that the edition reserves is named `reserved_N`.
pub(crate) fn alarm_names(alarm: u32, edition: Edition) -> Vec<Value> {
    names(ALARMS, alarm, edition)
}

/// Names of the set status bits; the load is no bit but [`load_name`], except in 2011.
pub(crate) fn status_names(status: u32, edition: Edition) -> Vec<Value> {
    let load = if edition == V2011 { 0 } else { LOAD_MASK };
    names(STATUS, status & !load, edition)
}

/// Load of the vehicle, where the edition has it and it is not empty (which is also what terminals
/// without a load sensor send).
pub(crate) fn load_name(status: u32, edition: Edition) -> Option<&'static str> {
    let load = (status & LOAD_MASK) >> LOAD_SHIFT;
    (edition != V2011 && load != 0).then(|| LOADS.get(load as usize).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_has_two_names_in_one_edition() {
        for table in [ALARMS, STATUS] {
            for edition in [V2011, V2013, V2019] {
                for bit in 0..32 {
                    let rows = table.iter().filter(|(at, from, to, _)| *at == bit && (*from..=*to).contains(&edition));
                    assert!(rows.count() <= 1, "bit {bit} of {edition:?}");
                }
            }
        }
    }

    #[test]
    fn bits_by_edition() {
        let cases = [
            (1 << 3, "warning", "danger_warning", "dangerous_driving"),
            (1 << 15, "reserved_15", "reserved_15", "forbidden_period_driving"),
            (1 << 31, "reserved_31", "illegal_door_opening", "reserved_31"),
        ];
        for (bits, v2011, v2013, v2019) in cases {
            assert_eq!(alarm_names(bits, V2011), [v2011]);
            assert_eq!(alarm_names(bits, V2013), [v2013]);
            assert_eq!(alarm_names(bits, V2019), [v2019]);
        }
        assert_eq!(status_names(0x300, V2011), ["reserved_8", "reserved_9"]);
        assert!(status_names(0x300, V2013).is_empty());
        let loads = [0, 0x100, 0x200, 0x300].map(|status| load_name(status, V2013));
        assert_eq!(loads, [None, Some("half"), Some("reserved"), Some("full")]);
        assert_eq!(load_name(0x300, V2011), None);
    }
}
