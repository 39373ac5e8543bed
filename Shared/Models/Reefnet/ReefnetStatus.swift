/// The payload of a `status` frame (the reefnet document, "`status` Frames").
package enum ReefnetStatus {
  /// After so long without a word a module is offline: the document has a status every second while one is connected.
  package static let silenceMax = Duration.seconds(15)

  /// How far a setpoint in a status may be from what was asked for: half of the last digit of the document's finest temperature (an average of 25.05), because a module may round what it tells,
  /// and what single precision loses.
  private static let tolerance = 0.005 + 1e-5

  /// Whether the module is as a control wanted it: one of its subsystems has all that was to be changed. False for a control that changes nothing: no status tells of it.
  ///
  /// - Parameter payload: of a status that came after the control was sent.
  package static func shows(_ control: ReefnetControl, in payload: JSONObject) -> Bool {
    guard !control.changes.isEmpty else { return false }
    let subsystems = (payload.elements("subsystems") ?? []).compactMap { try? JSONObject(parsing: Array($0)) }
    let named = subsystems.filter { $0.string("submodule_id") == control.submoduleID }
    return (named.isEmpty ? subsystems : named).contains { subsystem in
      guard let setpoints = subsystem.object("setpoints") else { return false }
      return control.changes.allSatisfy { parameter, wanted in
        setpoints.number(parameter.rawValue).map { abs($0 - wanted) <= tolerance } ?? false
      }
    }
  }

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
