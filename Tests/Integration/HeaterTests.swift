import LocalStack
import Testing

/// A heater on MQTT, watched through an endpoint of another dialect.
@Suite(.serialized, .timeLimit(.minutes(5))) struct HeaterTests {
  private static let module = "PickleHeat.Heater"

  @Test func `A heater's alarm is watched through another dialect's endpoint, and its sensors are readings under their names`() async throws
  {
    try await Backbone.run(appliances: [Self.module], dialect: "reefnet", rules: 1) { backbone in
      let types = ["appliance:status", "reefnet:alarm", "alarm:raised", "alarm:cleared"]
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: [Self.module], types: types) { app in
        let arguments = ["simulate", "heater", Self.module, "--interval", "0.1", "--speed", "200", "--fault", "stuck-relay", "--seed", "1"]
        try await backbone.stack.keepMartletctl("heater", arguments)
        _ = try await app.event("appliance:status") { $0["data"]?["status"]?.string == "online" }
        let code = "safety.relay_stuck"
        let frame = try await app.event("reefnet:alarm") { $0["data"]?["payload"]?["code"]?.string == code }
        #expect(frame["data"]?["protocol"]?.string == "reefnet.v1" && frame["data"]?["module_id"]?.string == Self.module)
        for type in ["alarm:raised", "alarm:cleared"] {
          let alarm = try await app.event(type)
          #expect(alarm["data"]?["source"]?.string == "code:\(code)", "\(alarm)")
        }
        try await backbone.stack.kill("heater")
        _ = try await app.event("appliance:status") { $0["data"]?["status"]?.string == "offline" }
      }
      for metric in ["environment.temperature_c", "subsystems.heater.sensors.Primary", "subsystems.heater.setpoints.setpoint_c"] {
        try await backbone.waitForRow("t", "SELECT count(*) > 10 FROM readings WHERE metric = '\(metric)'")
      }
    }
  }
}
