//! Whom a rule binds: by goods, load, vehicle and carrier. What is not known is an answer of its own.

use crate::{CarrierId, Division, Goods, Load, LoadState, UnNumber, VehicleId};

/// An answer of three, ordered: the lesser of two is "and", the greater "or".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tri {
    /// No.
    No,
    /// Not known.
    Unknown,
    /// Yes.
    Yes,
}

impl From<bool> for Tri {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// A set of states of load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoadStates(u8);

impl LoadStates {
    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, state: LoadState) -> Self {
        Self(self.0 | 1 << state as u8)
    }

    /// Whether it is in it.
    #[must_use]
    pub const fn contains(self, state: LoadState) -> bool {
        self.0 & (1 << state as u8) != 0
    }

    /// Those in it, by number.
    pub fn iter(self) -> impl Iterator<Item = LoadState> {
        LoadState::ALL.iter().copied().filter(move |state| self.contains(*state))
    }
}

impl FromIterator<LoadState> for LoadStates {
    fn from_iter<I: IntoIterator<Item = LoadState>>(states: I) -> Self {
        states.into_iter().fold(Self::default(), Self::with)
    }
}

/// Whom something binds. Every criterion that is not empty must hold; an empty filter binds everybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Goods of one of these classes or divisions, or of `un`.
    pub divisions: Vec<Division>,
    /// Goods of one of these UN numbers, or of `divisions`.
    pub un: Vec<UnNumber>,
    /// One of these states of load.
    pub loads: LoadStates,
    /// One of these vehicles.
    pub vehicles: Vec<VehicleId>,
    /// A vehicle of one of these carriers.
    pub carriers: Vec<CarrierId>,
    /// Only with (`true`) or without (`false`) highly toxic chemicals (剧毒化学品).
    pub highly_toxic: Option<bool>,
}

/// Who is held against a filter.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The vehicle.
    pub vehicle: VehicleId,
    /// Who runs it.
    pub carrier: Option<CarrierId>,
    /// What it carries; `None`: nothing was recorded.
    pub load: Option<&'a Load>,
    /// What it is licensed for (经营范围); empty: not known.
    pub scope: &'a [Division],
}

impl Subject<'_> {
    fn state(&self) -> LoadState {
        self.load.map_or(LoadState::Unknown, |load| load.state)
    }

    /// What it carries, or carried last; `None` when nobody has said.
    fn goods(&self) -> Option<&[Goods]> {
        let load = self.load?;
        (load.state == LoadState::Empty || !load.goods.is_empty()).then_some(&*load.goods)
    }
}

impl Filter {
    /// Whether it binds everybody.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.divisions.is_empty()
            && self.un.is_empty()
            && self.loads.is_empty()
            && self.vehicles.is_empty()
            && self.carriers.is_empty()
            && self.highly_toxic.is_none()
    }

    /// Whether it binds them. Unknown goods are judged by the licensed scope: where that has none of the classes asked
    /// for the answer is no, else it is not known.
    #[must_use]
    pub fn holds(&self, subject: &Subject<'_>) -> Tri {
        let vehicle = self.vehicles.is_empty() || self.vehicles.contains(&subject.vehicle);
        let carrier = self.carriers.is_empty() || subject.carrier.is_some_and(|own| self.carriers.contains(&own));
        [Tri::from(vehicle && carrier), self.load(subject), self.goods(subject), self.toxic(subject)]
            .into_iter()
            .min()
            .unwrap_or(Tri::Yes)
    }

    fn load(&self, subject: &Subject<'_>) -> Tri {
        let state = subject.state();
        match state {
            _ if self.loads.is_empty() || self.loads.contains(state) => Tri::Yes,
            LoadState::Unknown => Tri::Unknown,
            LoadState::Loaded | LoadState::Empty => Tri::No,
        }
    }

    fn goods(&self, subject: &Subject<'_>) -> Tri {
        if self.divisions.is_empty() && self.un.is_empty() {
            return Tri::Yes;
        }
        let Some(goods) = subject.goods() else {
            let mut licensed = subject.scope.iter();
            let may = !self.un.is_empty()
                || subject.scope.is_empty()
                || licensed.any(|own| self.divisions.iter().any(|asked| asked.overlaps(*own)));
            return if may { Tri::Unknown } else { Tri::No };
        };
        goods.iter().map(|goods| self.of_division(goods).max(self.of_number(goods))).max().unwrap_or(Tri::No)
    }

    fn of_division(&self, goods: &Goods) -> Tri {
        match goods.division {
            _ if self.divisions.is_empty() => Tri::No,
            None => Tri::Unknown,
            Some(own) if self.divisions.iter().any(|asked| asked.covers(own)) => Tri::Yes,
            // The papers say the class alone, and one of its divisions is asked for.
            Some(own) if self.divisions.iter().any(|asked| own.covers(*asked)) => Tri::Unknown,
            Some(_) => Tri::No,
        }
    }

    fn of_number(&self, goods: &Goods) -> Tri {
        match goods.un {
            _ if self.un.is_empty() => Tri::No,
            None => Tri::Unknown,
            Some(own) => self.un.contains(&own).into(),
        }
    }

    fn toxic(&self, subject: &Subject<'_>) -> Tri {
        match (self.highly_toxic, subject.goods()) {
            (None, _) => Tri::Yes,
            (Some(_), None) => Tri::Unknown,
            (Some(asked), Some(goods)) => (goods.iter().any(|goods| goods.highly_toxic) == asked).into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use proptest::prelude::*;

    fn division(text: &str) -> Division {
        text.parse().expect("a division")
    }

    fn load(state: LoadState, goods: &[(Option<&str>, Option<u32>, bool)]) -> Load {
        let goods = goods.iter().map(|(class, un, highly_toxic)| Goods {
            un: un.and_then(UnNumber::from_number),
            division: class.map(division),
            highly_toxic: *highly_toxic,
            ..Goods::default()
        });
        Load { vehicle: VehicleId(1), from: Timestamp(0), state, goods: goods.collect(), source: String::new() }
    }

    fn asks(divisions: &[&str], un: &[u32]) -> Filter {
        let un = un.iter().filter_map(|n| UnNumber::from_number(*n)).collect();
        Filter { divisions: divisions.iter().map(|text| division(text)).collect(), un, ..Filter::default() }
    }

    #[test]
    fn goods_are_held_against_classes_and_numbers() {
        use LoadState::{Empty, Loaded, Unknown};
        let chlorine = [(Some("2.3"), Some(1017), true)];
        let vague = [(Some("2"), None, false)];
        let cases = [
            (asks(&["2"], &[]), Loaded, &chlorine[..], &[][..], Tri::Yes),
            (asks(&["2.1"], &[]), Loaded, &chlorine, &[], Tri::No),
            (asks(&["3"], &[1017]), Loaded, &chlorine, &[], Tri::Yes),
            (asks(&["2.3"], &[]), Loaded, &vague, &[], Tri::Unknown),
            (asks(&[], &[1017]), Loaded, &vague, &[], Tri::Unknown),
            (asks(&["2.3"], &[]), Empty, &chlorine, &[], Tri::Yes),
            (asks(&["2.3"], &[]), Empty, &[], &["2.3"], Tri::No),
            (asks(&["2.3"], &[]), Loaded, &[], &["2"], Tri::Unknown),
            (asks(&["2.3"], &[]), Unknown, &[], &["3", "8"], Tri::No),
            (asks(&["2.3"], &[]), Unknown, &[], &[], Tri::Unknown),
            (asks(&["2.3"], &[1203]), Unknown, &[], &["3"], Tri::Unknown),
        ];
        for (filter, state, goods, scope, answer) in cases {
            let load = load(state, goods);
            let scope: Vec<_> = scope.iter().map(|text| division(text)).collect();
            let subject = Subject { vehicle: VehicleId(1), carrier: None, load: Some(&load), scope: &scope };
            assert_eq!(filter.holds(&subject), answer, "{filter:?} {load:?} {scope:?}");
        }
    }

    #[test]
    fn every_criterion_must_hold() {
        let toxic = load(LoadState::Loaded, &[(Some("6.1"), None, true)]);
        let subject = Subject { vehicle: VehicleId(1), carrier: Some(CarrierId(5)), load: Some(&toxic), scope: &[] };
        let nothing_known = Subject { load: None, ..subject };
        let loaded = LoadStates::default().with(LoadState::Loaded);
        for (filter, known, unknown) in [
            (Filter::default(), Tri::Yes, Tri::Yes),
            (Filter { loads: loaded, ..Filter::default() }, Tri::Yes, Tri::Unknown),
            (Filter { loads: loaded.with(LoadState::Unknown), ..Filter::default() }, Tri::Yes, Tri::Yes),
            (Filter { vehicles: vec![VehicleId(2)], loads: loaded, ..Filter::default() }, Tri::No, Tri::No),
            (Filter { carriers: vec![CarrierId(5)], ..Filter::default() }, Tri::Yes, Tri::Yes),
            (Filter { carriers: vec![CarrierId(6)], ..Filter::default() }, Tri::No, Tri::No),
            (Filter { highly_toxic: Some(true), ..Filter::default() }, Tri::Yes, Tri::Unknown),
            (Filter { highly_toxic: Some(false), ..Filter::default() }, Tri::No, Tri::Unknown),
        ] {
            assert_eq!((filter.holds(&subject), filter.holds(&nothing_known)), (known, unknown), "{filter:?}");
        }
    }

    fn any_division() -> impl Strategy<Value = Division> {
        prop::sample::select(vec!["1", "1.4", "2", "2.1", "2.3", "3", "6.1", "8"]).prop_map(division)
    }

    proptest! {
        /// Whatever the load turns out to be within the licensed scope, the answer that was given without knowing it
        /// was not wrong.
        #[test]
        fn not_knowing_never_contradicts_knowing(
            asked in prop::collection::vec(any_division(), 1..4),
            scope in prop::collection::vec(any_division(), 1..4),
            pick in 0..4_usize,
        ) {
            let carried = scope[pick % scope.len()];
            let filter = Filter { divisions: asked, ..Filter::default() };
            let goods = vec![Goods { division: Some(carried), ..Goods::default() }];
            let known = Load { goods, ..load(LoadState::Loaded, &[]) };
            let subject = Subject { vehicle: VehicleId(1), carrier: None, load: None, scope: &scope };
            let blind = filter.holds(&subject);
            let seen = filter.holds(&Subject { load: Some(&known), ..subject });
            prop_assert!(blind == Tri::Unknown || blind == seen, "{blind:?} {seen:?}");
        }
    }
}
