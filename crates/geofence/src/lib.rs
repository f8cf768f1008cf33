//! Room `geofence`.
