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

  @Test func `Bad input is refused and harms nobody`() async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)

      let early = try await scene.clients.open("early", scene.url("viewer", on: 1))
      try await early.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: "r")
      #expect(try await early.error("r") == "Unauthorized")
      let bob = try await scene.viewer("bob", "bob", on: 1)
      let other = try await scene.camera("other", "cam-2", on: 1)
      for (client, type, payload, error) in [
        (bob, "end_watch", "", "Session not found"), (bob, "signal_offer", #","sdp":{}"#, "Session not found"),
        (other, "signal_answer", #","sdp":{}"#, "Session not found"), (other, "signal_ice", #","candidate":{}"#, "Session not found"),
        (camera, "signal_offer", #","sdp":{}"#, "A device does not send 'signal_offer'"),
        (camera, "end_watch", "", "A device does not send 'end_watch'"),
        (viewer, "signal_answer", #","sdp":{}"#, "A viewer does not send 'signal_answer'"),
        (viewer, "signal_offer", #","sdp":"v=0""#, "'payload.sdp' must be an object"),
      ] {
        let id = "\(client.name) \(type) \(payload.count)"
        try await client.send(type, #"{"session_id":"\#(session)"\#(payload)}"#, requestID: id)
        #expect(try await client.error(id) == error)
      }

      let fat = try await scene.viewer("fat", on: 1)
      try await fat.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"a":"\#(String(repeating: "x", count: 1 << 20))"}}"#)
      #expect(try await fat.closing().hasPrefix("1009 "))
      let flood = try await scene.viewer("flood", on: 2)
      try flood.flood(#"{"type":"watch_request","ts":"t","payload":{"device_id":"cam-9"}}"#, count: 1000)
      #expect(try await flood.closing() == "1008 Too many errors")

      try await viewer.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"n":1}}"#)
      _ = try await camera.message("signal_ice", of: session)
      try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
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
      _ = try await scene.stack.postgres.query("UPDATE appliances SET owner_id = 'bob'; DELETE FROM users WHERE id = 'alice'")
      _ = try await scene.stack.redis.cli("PUBLISH", "changes", "user\talice")
      #expect(try await viewer.closing() == "1008 User not found")
    }
  }
}
