import LocalStack
import Testing

/// Ends whose connection is dead before anybody notices: what was written into it is told on the next one, and what its client had is not.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingReturnTests {
  private static let settings = ["MARTLET_GRACE_SECONDS": "8"]

  @Test func `A viewer is told the answer that went into its dead connection, once and in order`() async throws {
    try await Self.run { scene, relay in
      let camera = try await scene.camera("camera", on: 2)
      let viewer = try await scene.clients.open("viewer", "ws://\(relay.address)/ws/viewer")
      try await viewer.send("hello", #"{"token":"\#(scene.token("alice"))"}"#)
      let session = try await scene.request(viewer)
      try await viewer.send("signal_offer", #"{"session_id":"\#(session)","sdp":{"type":"offer","sdp":"v=0"}}"#)
      _ = try await camera.message("signal_offer", of: session)

      relay.fallSilent()
      try await camera.send("signal_answer", #"{"session_id":"\#(session)","sdp":{"type":"answer","sdp":"v=0"}}"#)
      for number in 1...3 { try await camera.send("signal_ice", SignalingScene.candidate(session, number)) }
      try await scene.poll("the broker to have sent them all", limit: .seconds(20)) { relay.swallowed.contains(#""n":3"#) }
      #expect(relay.swallowed.contains("signal_answer"))

      let back = try await scene.viewer("viewer-back", on: 2)
      try await back.send("signal_ice", SignalingScene.candidate(session, 4))
      try await back.candidate(3, of: session)
      try await camera.send("signal_ice", SignalingScene.candidate(session, 5))
      try await back.candidate(5, of: session)
      #expect(await back.order(of: session) == ["signal_answer", "1", "2", "3", "5"])
      #expect(await camera.order(of: session) == ["watch_request", "signal_offer", "4"])
      try await back.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `A device is told the candidates that went into its dead connection, and no more`() async throws {
    try await Self.run { scene, relay in
      let viewer = try await scene.viewer("viewer", on: 2)
      let camera = try await scene.clients.open("camera", "ws://\(relay.address)/ws/device")
      try await camera.send("hello", #"{"device_id":"cam-1"}"#)
      _ = try await camera.message("hello_ack")
      let session = try await scene.watch(viewer, camera)
      try await scene.waitForReceipt("mail:cam-1")

      relay.fallSilent()
      for number in 1...2 { try await viewer.send("signal_ice", SignalingScene.candidate(session, number)) }
      try await scene.poll("the broker to have sent them", limit: .seconds(20)) { relay.swallowed.contains(#""n":2"#) }

      let back = try await scene.camera("camera-back", on: 2)
      try await back.candidate(2, of: session)
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 3))
      try await back.candidate(3, of: session)
      #expect(await back.order(of: session) == ["1", "2", "3"])
      try back.close()
      #expect(try await viewer.end(of: session) == "device_disconnected")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  @Test func `What a viewer had before it lost its connection is not told again`() async throws {
    try await SignalingScene.run(settings: Self.settings) { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 1)
      let session = try await scene.watch(viewer, camera)
      try await camera.send("signal_ice", SignalingScene.candidate(session, 1))
      try await viewer.candidate(1, of: session)
      try await scene.waitForReceipt("letters:\(session)")
      try viewer.cut()
      try await camera.send("signal_ice", SignalingScene.candidate(session, 2))
      let back = try await scene.viewer("viewer-back", on: 2)
      try await back.send("signal_ice", SignalingScene.candidate(session, 3))
      try await back.candidate(2, of: session)
      #expect(await back.order(of: session) == ["2"])
    }
  }

  @Test func `A device that has answered is not told the offer again, however soon it comes back`() async throws {
    try await SignalingScene.run(settings: Self.settings) { scene in
      let viewer = try await scene.viewer("viewer", on: 1)
      let session = try await scene.watch(viewer, scene.camera("camera", on: 1))
      let back = try await scene.camera("camera-back", on: 2)
      try await viewer.send("signal_ice", SignalingScene.candidate(session, 1))
      try await back.candidate(1, of: session)
      #expect(await back.order(of: session) == ["1"])
    }
  }

  /// A broker of two replicas, and a way to the first that can go silent.
  private static func run(_ body: @escaping @Sendable (SignalingScene, Relay) async throws -> Void) async throws {
    try await SignalingScene.run(settings: settings) { scene in
      let service = try scene.stack.service("signaling-1")
      try await Relay.run(to: service.host, service.port) { relay in try await body(scene, relay) }
    }
  }
}
