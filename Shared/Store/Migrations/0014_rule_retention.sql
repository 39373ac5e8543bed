-- Alarms of all appliances are listed by time. Firings, and alarms that are over, are forgotten when they are old.

CREATE INDEX alarms_newest ON alarms (raised_at, id);
CREATE INDEX alarms_open_newest ON alarms (raised_at, id) WHERE cleared_at IS NULL;
CREATE INDEX alarms_by_end ON alarms (cleared_at) WHERE cleared_at IS NOT NULL;
CREATE INDEX rule_firings_by_age ON rule_firings (fired_at);

GRANT SELECT, DELETE ON rule_firings TO martlet_rules;
GRANT DELETE ON alarms TO martlet_rules;
