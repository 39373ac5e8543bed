import LocalStack
import Testing

/// Clients that do not keep to the document: each is refused, and neither the session nor the others are harmed.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalingBadInputTests {
  /// A camera and a viewer in a session, on two replicas. Afterwards it must be whole: a candidate passes each way, and it ends in good order.
  private static func unharmed(
    _ body:
      @escaping @Sendable (SignalingScene, _ session: String, _ camera: SignalingClient, _ viewer: SignalingClient) async throws -> Void
  ) async throws {
    try await SignalingScene.run { scene in
      let camera = try await scene.camera("camera", on: 1)
      let viewer = try await scene.viewer("viewer", on: 2)
      let session = try await scene.watch(viewer, camera)
      try await body(scene, session, camera, viewer)
      for (sender, receiver) in [(viewer, camera), (camera, viewer)] {
        try await sender.send("signal_ice", #"{"session_id":"\#(session)","candidate":{"from":"\#(sender.name)"}}"#)
        _ = try await receiver.message("signal_ice", of: session) { $0["payload"]?["candidate"]?["from"]?.string == sender.name }
      }
      // Nothing of what was refused has reached the other end.
      for (client, type) in [(camera, "signal_offer"), (viewer, "signal_answer")] {
        let told = await client.messages().filter { $0["type"]?.string == type && $0["payload"]?["session_id"]?.string == session }
        #expect(told.count == 1)
      }
      try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
      #expect(try await camera.end(of: session) == "user_ended")
      try await scene.waitForEnd(session, "user_ended")
      try await scene.waitUntilNothingIsLeft()
    }
  }

  /// Sends each as the client and expects the error.
  private static func refuse(
    _ cases: [(client: SignalingClient, type: String, payload: String, error: String)], sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    for (number, (client, type, payload, error)) in cases.enumerated() {
      try await client.send(type, payload, requestID: "bad-\(number)")
      let told = try await client.error("bad-\(number)")
      #expect(told == error, "\(client.name): \(type) \(payload.prefix(100))", sourceLocation: sourceLocation)
    }
  }

  @Test func `Anything before hello is unauthorized`() async throws {
    try await Self.unharmed { scene, session, _, _ in
      for endpoint in ["device", "viewer"] {
        let early = try await scene.clients.open("early-\(endpoint)", scene.url(endpoint, on: 1))
        let cases = [
          ("heartbeat", "{}"), ("watch_request", #"{"device_id":"cam-1"}"#), ("signal_offer", #"{"session_id":"\#(session)","sdp":{}}"#),
          ("signal_answer", #"{"session_id":"\#(session)","sdp":{}}"#), ("signal_ice", #"{"session_id":"\#(session)","candidate":null}"#),
          ("end_watch", #"{"session_id":"\#(session)"}"#), ("device_presence", "{}"), ("auth", #"{"token":"t"}"#),
        ]
        // A viewer's `auth` is its proof, if only a bad one here.
        try await Self.refuse(
          cases.filter { endpoint == "device" || $0.0 != "auth" }.map { (early, $0.0, $0.1, "Unauthorized") })
      }
    }
  }

  @Test func `Another's session is not found, by whatever name`() async throws {
    try await Self.unharmed { scene, session, camera, viewer in
      let bob = try await scene.viewer("bob", "bob", on: 1)
      let other = try await scene.camera("other", "cam-2", on: 1)
      var cases: [(client: SignalingClient, type: String, payload: String, error: String)] = []
      for id in [session, session.uppercased()] {
        cases += [
          (bob, "end_watch", #"{"session_id":"\#(id)"}"#, "Session not found"),
          (bob, "signal_offer", #"{"session_id":"\#(id)","sdp":{}}"#, "Session not found"),
          (bob, "signal_ice", #"{"session_id":"\#(id)","candidate":{}}"#, "Session not found"),
          (other, "signal_answer", #"{"session_id":"\#(id)","sdp":{}}"#, "Session not found"),
          (other, "signal_ice", #"{"session_id":"\#(id)","candidate":{}}"#, "Session not found"),
        ]
      }
      for id in ["550e8400-e29b-41d4-a716-446655440000", "no session", ""] {
        cases.append((viewer, "end_watch", #"{"session_id":"\#(id)"}"#, "Session not found"))
        cases.append((camera, "signal_ice", #"{"session_id":"\#(id)","candidate":null}"#, "Session not found"))
      }
      try await Self.refuse(cases)
    }
  }

  @Test func `A device offers nothing, and a viewer answers nothing`() async throws {
    try await Self.unharmed { scene, session, camera, viewer in
      try await Self.refuse([
        (camera, "signal_offer", #"{"session_id":"\#(session)","sdp":{}}"#, "A device does not send 'signal_offer'"),
        (camera, "end_watch", #"{"session_id":"\#(session)"}"#, "A device does not send 'end_watch'"),
        (camera, "watch_request", #"{"device_id":"cam-2"}"#, "A device does not send 'watch_request'"),
        (
          camera, "signal_answer", #"{"session_id":"\#(session)","sdp":{}}"#,
          "'signal_answer' is out of order: no offer waits for an answer"
        ),
        (viewer, "signal_answer", #"{"session_id":"\#(session)","sdp":{}}"#, "A viewer does not send 'signal_answer'"),
        (viewer, "device_presence", "{}", "A viewer does not send 'device_presence'"),
      ])
    }
  }

  @Test func `What is no description and no candidate is refused by name`() async throws {
    try await Self.unharmed { scene, session, camera, viewer in
      func sdp(_ value: String) -> String { #"{"session_id":"\#(session)","sdp":\#(value)}"# }
      func candidate(_ value: String) -> String { #"{"session_id":"\#(session)","candidate":\#(value)}"# }
      let noObject = "'payload.sdp' must be an object"
      let noCandidate = "'payload.candidate' must be an object or null"
      try await Self.refuse([
        (viewer, "signal_offer", sdp(#""v=0""#), noObject), (viewer, "signal_offer", sdp("[{}]"), noObject),
        (viewer, "signal_offer", sdp("null"), noObject), (viewer, "signal_offer", #"{"session_id":"\#(session)"}"#, noObject),
        (camera, "signal_answer", sdp("7"), noObject), (viewer, "signal_ice", candidate(#""candidate:1""#), noCandidate),
        (camera, "signal_ice", candidate("true"), noCandidate), (camera, "signal_ice", #"{"session_id":"\#(session)"}"#, noCandidate),
        (viewer, "dance", "{}", "Unknown message type 'dance'"), (viewer, "heartbeat", "[]", "'payload' must be an object"),
      ])
      let first = await viewer.messages().count { $0["type"]?.string == "error" }
      try await viewer.send(raw: "{")
      _ = try await viewer.find("one more error") { $0.count { $0["type"]?.string == "error" } > first ? true : nil }
    }
  }

  @Test func `What is too large is refused, and past a frame's size ends the connection`() async throws {
    try await Self.unharmed { scene, session, camera, viewer in
      func text(_ kibibytes: Int) -> String { String(repeating: "x", count: kibibytes << 10) }
      func candidate(_ kibibytes: Int) -> String { #"{"session_id":"\#(session)","candidate":{"a":"\#(text(kibibytes))"}}"# }
      try await Self.refuse([
        (
          viewer, "signal_offer", #"{"session_id":"\#(session)","sdp":{"a":"\#(text(64))"}}"#, "'payload.sdp' must have at most 65536 bytes"
        ),
        (viewer, "signal_ice", candidate(4), "'payload.candidate' must have at most 4096 bytes"),
        (camera, "signal_ice", candidate(4), "'payload.candidate' must have at most 4096 bytes"),
        (camera, "device_presence", #"{"a":"\#(text(4))"}"#, "'payload' must have at most 4096 bytes"),
      ])
      let fat = (try await scene.viewer("fat-viewer", on: 1), try await scene.camera("fat-camera", "cam-2", on: 1))
      for client in [fat.0, fat.1] {
        try await client.send("signal_ice", candidate(1024))
        #expect(try await client.closing().hasPrefix("1009 "))
      }
    }
  }

  @Test func `More watch requests than may be are refused, and later ones are not`() async throws {
    try await Self.unharmed { scene, _, camera, viewer in
      var number = 0
      var refusal: String?
      // Twenty at once, and one more each second that this takes.
      while refusal == nil, number < 60 {
        number += 1
        let id = "request-\(number)"
        try await viewer.send("watch_request", #"{"device_id":"cam-1"}"#, requestID: id)
        let answer = try await viewer.find(id) { $0.first { $0["request_id"]?.string == id } }
        if let session = answer["payload"]?["session_id"]?.string {
          try await viewer.send("end_watch", #"{"session_id":"\#(session)"}"#)
          _ = try await viewer.end(of: session)
        } else {
          refusal = answer["payload"]?["message"]?.string
        }
      }
      #expect(refusal == "Too many watch requests" && number > 19)
    }
  }

  @Test func `A thousand requests at once end the connection that sends them`() async throws {
    try await Self.unharmed { scene, session, camera, _ in
      let nobody = try await scene.viewer("nobody", on: 2)
      try nobody.flood(#"{"type":"watch_request","ts":"t","payload":{"device_id":"cam-9"}}"#, count: 1000)
      #expect(try await nobody.closing() == "1008 Too many errors")

      // One that floods with what is good loses its own session, and no other.
      let flooder = try await scene.viewer("flooder", on: 2)
      let own = try await scene.watch(flooder, camera)
      try flooder.flood(
        #"{"type":"signal_ice","ts":"t","payload":{"session_id":"\#(own)","candidate":{"candidate":"c"}}}"#, count: 1000)
      #expect(try await flooder.closing() == "1008 Too many errors")
      #expect(try await camera.end(of: own) == "viewer_disconnected")
      try await scene.waitForEnd(own, "viewer_disconnected")

      let chatterer = try await scene.camera("chatterer", "cam-2", on: 1)
      try chatterer.flood(#"{"type":"device_presence","ts":"t","payload":{"battery":1}}"#, count: 1000)
      #expect(try await chatterer.closing() == "1008 Too many errors")
    }
  }
}
