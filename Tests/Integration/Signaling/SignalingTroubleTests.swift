import Foundation
import LocalStack
import Testing

/// Clients that do not keep to the document, and replicas that die.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingTroubleTests {
  @Test func `Sessions of a replica that is killed end with a word to the other end`() async throws {
    try await SignalingScene.run(replicas: 3) { scene in
      let cameras = (try await scene.camera("camera-1", on: 1), try await scene.camera("camera-2", "cam-2", on: 2))
      let viewers = (try await scene.viewer("viewer-1", on: 1), try await scene.viewer("viewer-2", on: 2))
      let deviceDies = try await scene.watch(viewers.1, cameras.0)
      let viewerDies = try await scene.watch(viewers.0, cameras.1, "cam-2")
      let bothDie = try await scene.watch(viewers.0, cameras.0)
      let start = ContinuousClock.now
      try await scene.stack.kill("signaling-1")
      #expect(try await viewers.1.end(of: deviceDies) == "device_disconnected")
      #expect(try await cameras.1.end(of: viewerDies) == "viewer_disconnected")
      // The promise of the document's page, not a measurement.
      #expect(.now - start < .seconds(15))
      for (session, reason) in [(deviceDies, "device_disconnected"), (viewerDies, "viewer_disconnected"), (bothDie, "device_disconnected")]
      {
        try await scene.waitForEnd(session, reason)
      }
      try await viewers.1.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: "again")
      #expect(try await viewers.1.error("again") == "Device is offline")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `Ends that came back to the replica that is killed are not forgotten`() async throws {
    try await SignalingScene.run { scene in
      let cameras = (try await scene.camera("camera-1", on: 1), try await scene.camera("camera-2", "cam-2", on: 2))
      let viewers = (try await scene.viewer("viewer-1", on: 1), try await scene.viewer("viewer-2", on: 2))
      let deviceDies = try await scene.watch(viewers.1, cameras.0)
      let viewerDies = try await scene.watch(viewers.0, cameras.1, "cam-2")
      _ = try await scene.camera("camera-back", on: 1)
      let back = try await scene.viewer("viewer-back", on: 1)
      try await back.send("signal_ice", SignalingScene.candidate(viewerDies, 1))
      try await cameras.1.candidate(1, of: viewerDies)
      try viewers.0.cut()
      #expect(try await cameras.0.closing().hasPrefix("1008 "))
      // The first connections of both have taken back what they held.
      try await scene.poll("each end to be held once", limit: .seconds(20)) {
        let places = try await scene.stack.redis.cli("KEYS", "signal:{*}:place").split(separator: "\n").map(String.init)
        let held = try await scene.stack.redis.run(["SUNION"] + places).split(separator: "\n")
        return ["d:cam-1 ", "v:\(viewerDies) "].allSatisfy { end in held.count { $0.hasPrefix(end) } == 1 }
      }
      try await scene.stack.kill("signaling-1")
      #expect(try await viewers.1.end(of: deviceDies) == "device_disconnected")
      #expect(try await cameras.1.end(of: viewerDies) == "viewer_disconnected")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A viewer whose replica was halted for less than the grace keeps its session and misses nothing`() async throws {
    try await SignalingScene.run(settings: ["MARTLET_GRACE_SECONDS": "8"]) { scene in
      let camera = try await scene.camera("camera", on: 2)
      let viewer = try await scene.viewer("viewer", on: 1)
      let session = try await scene.watch(viewer, camera)
      let many = 80
      let candidate = #"{"type":"signal_ice","ts":"","payload":\#(SignalingScene.candidate(session, 1))}"#
      try await scene.stack.pause("signaling-1")
      try camera.flood(candidate, count: many)
      try await scene.poll("its replica to be given up", limit: .seconds(20)) {
        try await scene.stack.redis.cli("ZCARD", "signal:{replicas}:alive") == "1"
      }
      try camera.flood(candidate, count: many)
      try await scene.stack.resume("signaling-1")
      try await camera.send("signal_ice", SignalingScene.candidate(session, 2))
      try await viewer.candidate(2, of: session)
      #expect(await viewer.order(of: session) == ["signal_answer"] + [String](repeating: "1", count: 2 * many) + ["2"])
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 3))
      try await camera.candidate(3, of: session)
      try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A replica that was halted for long takes its place anew`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)
      try await scene.stack.pause("signaling-1")
      #expect(try await viewer.end(of: session) == "device_disconnected")
      try await scene.stack.resume("signaling-1")
      #expect(try await camera.end(of: session) == "device_disconnected")
      // The camera's connection was never broken: it is there again.
      try await scene.poll("the camera to be online", limit: .seconds(20)) {
        try await !scene.stack.redis.cli("KEYS", "signal:{*}:device:cam-1").isEmpty
      }
      let next = try await scene.watch(viewer, camera)
      try await viewer.send("end_watch", #"{"session_id":"\#(next)"}"#)
      #expect(try await camera.end(of: next) == "user_ended")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A replica that stops says that it goes away, and its sessions go on elsewhere`() async throws {
    try await SignalingScene.run(settings: ["MARTLET_GRACE_SECONDS": "8"]) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)
      try await scene.stack.stop("signaling-1")
      #expect(try await camera.closing().hasPrefix("1001 "))
      let back = try await scene.camera("camera-back", on: 2)
      try await back.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"n":1}}"#)
      _ = try await viewer.message("signal_ice", of: session)
      #expect(await viewer.messages().allSatisfy { $0["type"]?.string != "watch_ended" })
    }
  }

  @Test func `Without PostgreSQL a device that is new is closed with 1011, and sessions go on`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let before = try await scene.watch(viewer, camera)
      try await scene.stack.kill("postgres")
      let new = try await scene.clients.open("new", scene.url("device", on: 1))
      try await new.send("hello", #"{"device_id":"cam-2"}"#)
      #expect(try await new.closing() == "1011 The device cannot be looked up now")
      let session = try await scene.watch(viewer, camera)
      for id in [before, session] {
        try await viewer.send("end_watch", #"{"session_id":"\#(id)"}"#)
        #expect(try await camera.end(of: id) == "user_ended")
      }
      try await scene.stack.start("postgres")
      for id in [before, session] { try await scene.waitForEnd(id, "user_ended") }
    }
  }

  @Test func `Without Redis requests are answered so, and when it is back the session goes on`() async throws {
    try await SignalingScene.run(settings: ["MARTLET_GRACE_SECONDS": "8"]) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)
      try await scene.stack.kill("redis")
      try await viewer.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: "away")
      #expect(try await viewer.error("away") == "Temporarily unavailable; try again in a moment")
      try await viewer.send("heartbeat", "{}", requestID: "here")
      _ = try await viewer.message("heartbeat_ack") { $0["request_id"]?.string == "here" }
      try await scene.stack.start("redis")
      for (sender, receiver) in [(viewer, camera), (camera, viewer)] {
        try await scene.poll("a candidate of \(sender.name)", limit: .seconds(30)) {
          try await sender.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"from":"\#(sender.name)"}}"#)
          return await receiver.messages().contains { $0["payload"]?["candidate"]?["from"]?.string == sender.name }
        }
      }
      try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
      try await scene.waitForEnd(session, "user_ended")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A deleted user's viewers and a lost right end what they watch`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)
      _ = try await scene.stack.postgres.query("UPDATE appliances SET owner_id = 'bob' WHERE id = 'cam-1'")
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "appliance\tcam-1")
      #expect(try await viewer.end(of: session) == "error")
      #expect(try await camera.end(of: session) == "error")
      try await scene.waitForEnd(session, "error")
      _ = try await scene.stack.postgres.query("UPDATE appliances SET owner_id = 'bob'; DELETE FROM users WHERE id = 'alice'")
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "user\talice")
      #expect(try await viewer.closing() == "1008 User not found")
    }
  }
}
