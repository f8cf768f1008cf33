//! Zones (区域): where dangerous goods are controlled, with the law behind them.

use crate::{Coord, LineString, MultiPolygon, Timestamp, ZoneId, ZoneRule};

/// Which way a corridor binds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Both ways.
    #[default]
    Both,
    /// Along the axis as drawn.
    Forward,
    /// Against the axis as drawn.
    Backward,
}

impl Direction {
    /// Every direction. The numbers are kept in the journal and never change.
    pub const ALL: &'static [Self] = &[Self::Both, Self::Forward, Self::Backward];

    /// The name in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }

    /// The direction of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|direction| direction.name() == name)
    }

    /// The direction of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|direction| *direction as u32 == number)
    }
}

/// The geometry of a zone, WGS-84.
#[derive(Clone, Debug, PartialEq)]
pub enum Geometry {
    /// One or more polygons with holes.
    Polygon(MultiPolygon),
    /// A circle.
    Circle {
        /// Its centre.
        centre: Coord,
        /// Its radius, metres.
        radius_m: f64,
    },
    /// A line with a width: a bridge, a tunnel, a lane. The ends are flat.
    Corridor {
        /// The middle line.
        axis: LineString,
        /// From the axis to either edge, metres.
        half_width_m: f64,
        /// Which way it binds.
        direction: Direction,
    },
    /// Several of them: a restriction of road sections.
    Corridors(Vec<Corridor>),
}

/// One corridor of several.
#[derive(Clone, Debug, PartialEq)]
pub struct Corridor {
    /// The middle line.
    pub axis: LineString,
    /// From the axis to either edge, metres.
    pub half_width_m: f64,
    /// Which way it binds.
    pub direction: Direction,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $zh:literal;)*) => {
        /// What a zone is. The numbers are kept in the journal and never change.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ZoneKind { $($(#[$doc])* $variant = $number,)* }

        impl ZoneKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the API.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The Chinese term.
            #[must_use]
            pub const fn name_zh(self) -> &'static str {
                match self { $(Self::$variant => $zh,)* }
            }
        }
    };
}

kinds! {
    /// Total length over 1,000 m or one span over 150 m (JTG B01).
    VeryLargeBridge = 1, "very_large_bridge", "特大桥";
    /// Section where bridges and tunnels follow each other.
    BridgeTunnel = 2, "bridge_tunnel", "桥隧相连路段";
    /// Road tunnel.
    Tunnel = 3, "tunnel", "隧道";
    /// First-class drinking-water source protection area.
    WaterSource1 = 4, "water_source_1", "饮用水水源一级保护区";
    /// Second-class drinking-water source protection area.
    WaterSource2 = 5, "water_source_2", "饮用水水源二级保护区";
    /// Quasi protection area of a drinking-water source.
    WaterSourceQuasi = 6, "water_source_quasi", "饮用水水源准保护区";
    /// Schools, markets, residential areas.
    CrowdedPlace = 7, "crowded_place", "人员密集场所";
    /// Nature reserve or key scenic area.
    NatureReserve = 8, "nature_reserve", "自然保护区";
    /// Steep or long mountain road, beside water or cliffs.
    SteepRoad = 9, "steep_road", "陡坡险路";
    /// Industrial or chemical park.
    Park = 10, "park", "园区";
    /// Dedicated parking lot for dangerous goods.
    Lot = 11, "lot", "专用停车场";
    /// Lane for dangerous goods inside a park.
    Lane = 12, "lane", "专用车道";
    /// Where goods are loaded or unloaded.
    LoadingSite = 13, "loading_site", "装卸点";
    /// Gate of a park or lot.
    Gate = 14, "gate", "门禁";
    /// Dangerous road section.
    DangerSection = 15, "danger_section", "危险路段";
    /// Anything else.
    Custom = 16, "custom", "自定义";
}

impl ZoneKind {
    /// The kind of that API name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The kind of that journal number.
    #[must_use]
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| *kind as u32 == number)
    }
}

/// The document behind a zone (法律依据).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LegalBasis {
    /// Who issued it.
    pub issuer: String,
    /// Its number (文号).
    pub number: String,
    /// Its title, or all that is known of it.
    pub title: String,
    /// Where it can be read.
    pub url: String,
}

impl LegalBasis {
    /// A document of which only a text is known.
    #[must_use]
    pub fn titled(title: impl Into<String>) -> Self {
        Self { title: title.into(), ..Self::default() }
    }
}

/// One revision of a zone. A fix is judged by the revision that was valid at its event time.
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    /// Which zone.
    pub id: ZoneId,
    /// Its revision, from 1.
    pub revision: u32,
    /// Its name, as people say it.
    pub name: String,
    /// What it is.
    pub kind: ZoneKind,
    /// Where it is.
    pub geometry: Geometry,
    /// What is asked there.
    pub rules: Vec<ZoneRule>,
    /// The coordinate system that the source was drawn in; the geometry is always WGS-84.
    pub source_crs: String,
    /// The document behind it.
    pub legal: LegalBasis,
    /// The place as the document says it (S11 K103+386 至 K125+723, 双向), or empty.
    pub place: String,
    /// The way around it (绕行路线), or empty.
    pub detour: String,
    /// Who drafted it, when a second person released it.
    pub drafted_by: Option<String>,
    /// From when it binds; `None`: from the instant at which the revision was recorded.
    pub valid_from: Option<Timestamp>,
    /// Until when it binds, exclusive; `None`: without end.
    pub valid_to: Option<Timestamp>,
    /// When the revision was recorded: set by the registry from its control record.
    pub recorded_at: Timestamp,
}

impl Zone {
    /// Whether this revision binds at `time`.
    #[must_use]
    pub fn binds_at(&self, time: Timestamp) -> bool {
        let from = self.valid_from.unwrap_or(self.recorded_at);
        from <= time && self.valid_to.is_none_or(|to| time < to)
    }

    /// Whether nobody may enter, ever, without exemption.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.rules.iter().any(ZoneRule::is_plainly_forbidden)
    }
}
