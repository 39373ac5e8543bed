-- Lab controllers: their sensors ("events" in the WebMACS document), the plugins that read those, and experiments.

CREATE TABLE sensors (
  -- The document's `event_public_id`. Apps know a sensor by nothing else, so no two controllers have the same one.
  public_id text COLLATE "C" PRIMARY KEY CHECK (char_length(public_id) BETWEEN 1 AND 64),
  appliance_id text COLLATE "C" NOT NULL REFERENCES appliances ON DELETE CASCADE,
  name text NOT NULL,
  unit text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (appliance_id, public_id)
);

CREATE TABLE plugins (
  public_id text COLLATE "C" PRIMARY KEY CHECK (char_length(public_id) BETWEEN 1 AND 64),
  appliance_id text COLLATE "C" NOT NULL REFERENCES appliances ON DELETE CASCADE,
  name text NOT NULL,
  enabled boolean NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (appliance_id, public_id)
);

-- Which sensors a plugin reads. Readings of a sensor are taken in while a plugin that reads it is enabled.
CREATE TABLE plugin_sensors (
  -- Here too, so that a plugin and its sensors are surely of one controller.
  appliance_id text COLLATE "C" NOT NULL,
  plugin_id text COLLATE "C" NOT NULL,
  sensor_id text COLLATE "C" NOT NULL,
  PRIMARY KEY (plugin_id, sensor_id),
  FOREIGN KEY (appliance_id, plugin_id) REFERENCES plugins (appliance_id, public_id) ON DELETE CASCADE,
  FOREIGN KEY (appliance_id, sensor_id) REFERENCES sensors (appliance_id, public_id) ON DELETE CASCADE
);
CREATE INDEX plugin_sensors_by_appliance ON plugin_sensors (appliance_id, plugin_id);
CREATE INDEX plugin_sensors_by_sensor ON plugin_sensors (appliance_id, sensor_id);

CREATE TABLE experiments (
  public_id text COLLATE "C" PRIMARY KEY CHECK (char_length(public_id) BETWEEN 1 AND 64),
  appliance_id text COLLATE "C" NOT NULL REFERENCES appliances ON DELETE CASCADE,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  stopped_at timestamptz,
  CHECK (stopped_at >= started_at)
);
CREATE INDEX experiments_by_appliance ON experiments (appliance_id, created_at DESC, public_id DESC);
CREATE INDEX experiments_by_start ON experiments (appliance_id, started_at DESC);
-- One at a time, whoever starts another at the same moment.
CREATE UNIQUE INDEX experiments_active ON experiments (appliance_id) WHERE started_at IS NOT NULL AND stopped_at IS NULL;

GRANT SELECT ON sensors, plugins, plugin_sensors, experiments, device_credentials TO martlet_gateway;
GRANT SELECT, INSERT, UPDATE, DELETE ON sensors, plugins, plugin_sensors, experiments TO martlet_api;
