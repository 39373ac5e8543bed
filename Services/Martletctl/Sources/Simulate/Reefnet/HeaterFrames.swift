import Models

/// What a heater's controller says: the frames of the reefnet document, with the members and in the order that it shows.
struct HeaterFrames: Sendable {
  let module: ApplianceID

  func status(of firmware: HeaterFirmware, at now: Timestamp) -> [UInt8] {
    var (version, network, environment) = (JSONWriter(), JSONWriter(), JSONWriter())
    version.add("version", "0.6.0")
    version.add("build", "Feb 27 2026 12:34:56")
    network.add("ip", "192.168.4.20")
    network.add("mac", "3C:DC:75:6E:D4:6C")
    network.add("ssid", "ReefNet")
    network.add("rssi_dbm", -62)
    environment.add("temperature_c", firmware.probes.average, digits: 2)
    var payload = JSONWriter()
    payload.add("uptime_s", firmware.uptime_s)
    payload.add("firmware", version)
    payload.add("network", network)
    payload.add("environment", environment)
    payload.add("subsystems", [subsystem(firmware)])
    return frame("status", payload, at: now)
  }

  /// A safety alarm is critical while it is active, a thermistor mismatch a warning; both are info when they clear.
  func alarm(_ toggle: HeaterFirmware.Toggle, of firmware: HeaterFirmware, at now: Timestamp) -> [UInt8] {
    var (payload, meta) = (JSONWriter(), JSONWriter())
    switch toggle.kind {
    case .safety(let alarm):
      payload.add("severity", toggle.isActive ? "critical" : "info")
      payload.add("code", alarm.rawValue)
      payload.add("message", alarm.title)
      payload.add("category", "safety")
      meta.add("avg_temp_c", firmware.probes.average, digits: 2)
      meta.add("setpoint_min_c", firmware.settings.min_c, digits: 2)
      meta.add("setpoint_max_c", firmware.settings.max_c, digits: 2)
      meta.add("lockout", firmware.isLockedOut)
    case .thermistorMismatch:
      payload.add("severity", toggle.isActive ? "warning" : "info")
      payload.add("code", "thermistor_mismatch")
      payload.add("message", "Thermistor mismatch")
      payload.add("category", "sensors")
      meta.add("delta_c", firmware.probes.delta, digits: 2)
      meta.add("threshold_c", firmware.settings.probeTolerance_c, digits: 2)
      meta.add("primary_temp_c", firmware.probes.primary, digits: 2)
      meta.add("secondary_temp_c", firmware.probes.secondary, digits: 2)
    }
    payload.add("active", toggle.isActive)
    payload.add("triggered_at", toggle.triggeredAt.iso8601)
    if !toggle.isActive { payload.add("cleared_at", now.iso8601) }
    payload.add("meta", meta)
    return frame("alarm", payload, at: now)
  }

  private func frame(_ type: String, _ payload: JSONWriter, at now: Timestamp) -> [UInt8] {
    var frame = JSONWriter()
    frame.add("protocol", ReefnetFrame.protocolVersion)
    frame.add("module_id", module.rawValue)
    frame.add("submodule_id", module.rawValue)
    frame.add("type", type)
    frame.add("sent_at", now.iso8601)
    frame.add("payload", payload)
    return frame.bytes
  }

  private func subsystem(_ firmware: HeaterFirmware) -> JSONWriter {
    let visible = firmware.visibleAlarm
    var object = JSONWriter()
    object.add("key", "heater")
    object.add("label", "Pickle Heat")
    object.add("kind", "heater")
    object.add("submodule_id", module.rawValue)
    object.add("state", firmware.isLockedOut ? "locked" : firmware.isHeating ? "heating" : "idle")
    object.add("badge", visible != nil ? "alarm" : firmware.isHeating ? "active" : "ok")
    object.add("safety_lockout", firmware.isLockedOut)
    object.add("visible_alarm", visible?.rawValue ?? "")
    object.add("setpoints", setpoints(firmware))
    object.add("safety", safety(firmware))
    object.add("sensors", sensors(firmware))
    return object
  }

  private func setpoints(_ firmware: HeaterFirmware) -> JSONWriter {
    let settings = firmware.settings
    var object = JSONWriter()
    object.add("setpoint_c", settings.setpoint_c, digits: 2)
    object.add("setpoint_min_c", settings.min_c, digits: 2)
    object.add("setpoint_max_c", settings.max_c, digits: 2)
    object.add("hysteresis_span_c", settings.span_c, digits: 2)
    object.add("hysteresis_half_c", settings.span_c / 2, digits: 2)
    object.add("probe_tolerance_c", settings.probeTolerance_c, digits: 2)
    object.add("thermistor_alarm", firmware.mismatchSince != nil)
    object.add("duty_cycle_percent", firmware.duty * 100, digits: 1)
    return object
  }

  private func safety(_ firmware: HeaterFirmware) -> JSONWriter {
    let raised = firmware.raised
    var state = JSONWriter()
    state.add("all_probes_offline", raised[.probesLost] != nil)
    state.add("thermal_runaway", raised[.runaway] != nil)
    state.add("heater_overrun", raised[.overrun] != nil)
    state.add("relay_stuck", raised[.relayStuck] != nil)
    state.add("lockout", firmware.isLockedOut)
    state.add("visible_alarm", firmware.visibleAlarm?.rawValue ?? "")
    var object = JSONWriter()
    object.add("probe_timeout_s", HeaterSafety.probeTimeout_s)
    object.add("runaway_delta_c", HeaterSafety.runawayDelta_c, digits: 1)
    object.add("max_heater_on_min", HeaterSafety.heaterOnMax_min)
    object.add("stuck_relay_delta_c", HeaterSafety.stuckRelayDelta_c, digits: 1)
    object.add("stuck_relay_window_s", HeaterSafety.stuckRelayWindow_s)
    object.add("state", state)
    object.add(
      "alarms",
      HeaterAlarm.allCases.compactMap { alarm in
        raised[alarm].map { triggeredAt in
          var entry = JSONWriter()
          entry.add("code", alarm.rawValue)
          entry.add("title", alarm.title)
          entry.add("triggered_at", triggeredAt.iso8601)
          return entry
        }
      })
    return object
  }

  private func sensors(_ firmware: HeaterFirmware) -> [JSONWriter] {
    let values: [(String, Double?, Int, String)] = [
      ("Primary", firmware.probes.primary, 2, "C"), ("Secondary", firmware.probes.secondary, 2, "C"),
      ("Average", firmware.probes.average, 2, "C"), ("Delta", firmware.probes.delta, 2, "C"),
      ("Duty Cycle", firmware.duty * 100, 1, "%"), ("Activations", Double(firmware.activations), 0, "cycles"),
    ]
    return values.map { label, value, digits, unit in
      var object = JSONWriter()
      object.add("label", label)
      object.add("value", value, digits: digits)
      object.add("unit", unit)
      return object
    }
  }
}
