import Foundation
import LocalStack
import Testing

/// From a device's publish, by a client that is not ours, to apps on two replicas and to a row.
@Suite(.serialized, .timeLimit(.minutes(5))) struct EndToEndTests {
  @Test func `One publish reaches both replicas and is one row`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"]) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["EPIC-001"]) { first in
        try await Subscriber.run(backbone.gateway(2), token: backbone.token, appliances: ["EPIC-001"]) { second in
          try await backbone.stack.mosquitto.publish(
            "-q", "1", "-t", "epicura/EPIC-001/alert", "-m", #"{"alert_type":"door_open","message":"Door","priority":"low"}"#)
          let (one, two) = (try await first.event("appliance:alert"), try await second.event("appliance:alert"))
          #expect(one == two)
          #expect(one["data"]?["alert_type"]?.string == "door_open")
          try await backbone.waitForRow(
            "door_open|appliance:alert", "SELECT data->>'alert_type', type FROM events WHERE appliance_id = 'EPIC-001'")
        }
      }
    }
  }

  @Test func `Every example of the document passes through unchanged in meaning`() async throws {
    let topics = [
      "cooking.started": "session/started", "cooking.progress": "session/progress", "cooking.stage_change": "session/stage_change",
      "cooking.complete": "session/complete", "cooking.error": "session/error", "appliance.status": "status", "appliance.alert": "alert",
    ]
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["EPIC-001"]) { app in
        for (fixture, topic) in topics {
          let text = try Fixtures.epicura(fixture)
          let sent = try JSON(text)
          let type = try #require(sent["type"]?.string)
          try await backbone.stack.mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/\(topic)", "-s", input: text)
          let received = try await app.event(type)
          #expect(received.without("id") == sent)
          try await backbone.waitForRow("1", "SELECT count(*) FROM events WHERE type = '\(type)'")
          let stored = try await backbone.stack.postgres.query("SELECT data FROM events WHERE type = '\(type)'")
          #expect(try JSON(stored) == sent["data"])
        }
      }
    }
  }

  @Test func `A device without a dialect is heard too`() async throws {
    try await Backbone.run(appliances: ["ROBOT-7"], gateways: 1) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["ROBOT-7"]) { app in
        try await backbone.stack.mosquitto.publish("-q", "1", "-t", "martlet/ROBOT-7/events/door", "-m", #"{"open":true,"n":1.50}"#)
        #expect(try await app.event("door")["data"] == JSON(#"{"open":true,"n":1.5}"#))
      }
    }
  }

  @Test func `What cannot be understood is kept and stops nothing`() async throws {
    try await Backbone.run(appliances: ["EPIC-001"], gateways: 1) { backbone in
      try await Subscriber.run(backbone.gateway(1), token: backbone.token, appliances: ["EPIC-001"]) { app in
        let mosquitto = try backbone.stack.mosquitto
        try await mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/alert", "-m", "{not json")
        try await mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/nonsense", "-m", "{}")
        try await mosquitto.publish("-q", "1", "-t", "epicura/EPIC-001/alert", "-m", #"{"alert_type":"after"}"#)
        _ = try await app.event("appliance:alert")
        try await backbone.waitForRow("2", "SELECT count(*) FROM dead_letters")
        let kept = try await backbone.stack.postgres.query(
          "SELECT convert_from(payload, 'UTF8') FROM dead_letters WHERE topic = 'epicura/EPIC-001/alert'")
        #expect(kept == "{not json")
      }
    }
  }
}

/// The examples of the documents, as files.
enum Fixtures {
  static func epicura(_ name: String) throws -> String {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try String(contentsOf: folder.appending(path: "Fixtures/epicura/\(name).json"), encoding: .utf8)
  }
}
