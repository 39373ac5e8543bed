/// The payload of a `status` frame (the reefnet document, "`status` Frames").
package enum ReefnetStatus {
  /// A status is nothing without its subsystems, and a subsystem without its key and state. The rest is checked where it stands: `network` is there only while Wi-Fi is,
  /// and a number that a module cannot tell (a probe that is offline) is null.
  static let shape = DataShape([
    .optional("uptime_s", .number),
    .optional("firmware", .object(DataShape([.optional("version", .string), .optional("build", .string)]))),
    .optional(
      "network",
      .object(DataShape([.optional("ip", .string), .optional("mac", .string), .optional("ssid", .string), .optional("rssi_dbm", .number)]))),
    .optional("environment", .object(DataShape([.optional("temperature_c", .number)]))),
    .required("subsystems", .objects(subsystem)),
  ])

  private static let subsystem = DataShape([
    .required("key", .text(bytesMax: 64)), .optional("label", .string), .optional("kind", .string), .optional("submodule_id", .string),
    .required("state", .string), .optional("badge", .string), .optional("safety_lockout", .boolean), .optional("visible_alarm", .string),
    .optional("setpoints", .object(setpoints)), .optional("safety", .object(safety)),
    .optional(
      "sensors", .objects(DataShape([.required("label", .string), .optional("value", .number), .optional("unit", .string)]))),
  ])

  private static let setpoints = DataShape([
    .optional("setpoint_c", .number), .optional("setpoint_min_c", .number), .optional("setpoint_max_c", .number),
    .optional("hysteresis_span_c", .number), .optional("hysteresis_half_c", .number), .optional("probe_tolerance_c", .number),
    .optional("thermistor_alarm", .boolean), .optional("duty_cycle_percent", .number),
  ])

  private static let safety = DataShape([
    .optional("probe_timeout_s", .number), .optional("runaway_delta_c", .number), .optional("max_heater_on_min", .number),
    .optional("stuck_relay_delta_c", .number), .optional("stuck_relay_window_s", .number), .optional("state", .object(safetyState)),
    .optional(
      "alarms",
      .objects(
        DataShape([
          .required("code", .string), .optional("title", .string), .optional("detail", .string), .optional("triggered_at", .string),
        ]))),
  ])

  private static let safetyState = DataShape([
    .optional("all_probes_offline", .boolean), .optional("thermal_runaway", .boolean), .optional("heater_overrun", .boolean),
    .optional("relay_stuck", .boolean), .optional("lockout", .boolean), .optional("visible_alarm", .string),
  ])
}
