-- Whether the driver was reminded of a violation: its effects, by fact.

CREATE INDEX effect_by_fact ON effect (fact);
