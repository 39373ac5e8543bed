import LocalStack
import Models
import Subprocess
import Testing

@testable import Martletctl

@Suite(.timeLimit(.minutes(2))) struct `A simulated camera` {
  private let play: CameraPlay
  private let now = Timestamp(microseconds: 1_771_072_500_000_000)
  private static let session = "550e8400-e29b-41d4-a716-446655440000"

  init() throws { play = CameraPlay(device: try ApplianceID("cam-1")) }

  private func hear(_ type: String, _ payload: String) -> CameraPlay.Step {
    play.hear(Array(#"{"type":"\#(type)","ts":"2026-02-14T12:35:00Z","payload":\#(payload)}"#.utf8), now: now)
  }

  /// What the broker makes of a frame.
  private func message(_ frame: [UInt8]) throws -> SignalingClientMessage { try SignalingRequest(parsing: frame).message }

  @Test func `it says who it is, and what it is like once it is let in`() throws {
    guard case .hello(let hello) = try message(play.hello(now: now)) else { throw Unexpected() }
    #expect(hello.deviceID == "cam-1")
    #expect(try message(play.heartbeat(now: now)) == .heartbeat)
    let step = hear("hello_ack", #"{"device_id":"cam-1"}"#)
    #expect(step.isWelcome && step.line == "cam-1 is connected")
    guard case .presence = try message(try #require(step.frames.first)) else { throw Unexpected() }
  }

  @Test func `it answers an offer stream for stream, and refuses each`() throws {
    let offer = #"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96 97\r\na=sendrecv\r\na=mid:1\r\n"#
    let step = hear("signal_offer", #"{"session_id":"\#(Self.session)","sdp":{"type":"offer","sdp":"\#(offer)"}}"#)
    let messages = try step.frames.map(message)
    let watch = try #require(WatchID(Self.session))
    guard messages.count == 3, case .answer(watch, let sdp) = messages[0], case .candidate(watch, let candidate) = messages[1] else {
      throw Unexpected()
    }
    let answer = try JSONObject(parsing: sdp)
    #expect(answer.string("type") == "answer")
    let lines = answer.string("sdp")?.split(separator: "\r\n").map(String.init) ?? []
    #expect(lines.first == "v=0")
    #expect(
      lines.suffix(8) == [
        "m=audio 0 UDP/TLS/RTP/SAVPF 111", "c=IN IP4 0.0.0.0", "a=inactive", "a=mid:0", "m=video 0 UDP/TLS/RTP/SAVPF 96 97",
        "c=IN IP4 0.0.0.0", "a=inactive", "a=mid:1",
      ])
    #expect(candidate != Array("null".utf8))
    #expect(messages[2] == .candidate(watch, Array("null".utf8)))
  }

  @Test func `it tells what happens, and is not put off by what it does not understand`() {
    #expect(hear("watch_request", #"{"session_id":"\#(Self.session)","user_id":"ann"}"#).line == "\(Self.session): ann wants to watch")
    #expect(hear("watch_ended", #"{"session_id":"\#(Self.session)","reason":"timeout"}"#).line == "\(Self.session): ended, timeout")
    #expect(hear("error", #"{"message":"Unauthorized"}"#).line == "the broker refused: Unauthorized")
    #expect(hear("signal_offer", #"{"session_id":"x"}"#) == CameraPlay.Step())
    #expect(hear("news", "{}") == CameraPlay.Step())
    #expect(play.hear(Array("[".utf8), now: now).frames.isEmpty)
  }

  @Test func `it proves itself, comes back when the broker does, and says goodbye`() async throws {
    try await CommandFixture.run([.postgres, .redis, .mosquitto], services: [MartletService.Plan("signaling")]) { fixture in
      let accounts = "users: [{id: demo}]\nappliances: [{id: cam-1, owner: demo, dialect: signaling}]"
      _ = try await fixture.martletctl("apply", "-", input: accounts)
      let secret = String(repeating: "n", count: 43)
      _ = try await fixture.stack.postgres.query(
        "INSERT INTO device_credentials (appliance_id, secret_sha256) VALUES ('cam-1', sha256('\(secret)'))")
      let broker = try fixture.stack.service("signaling-1")
      let arguments = ["simulate", "camera", "cam-1", "--url", "ws://\(broker.host):\(broker.port)/ws/device"]

      var connectedCount = 0
      let (status, lines) = try await fixture.follow(arguments, environment: ["MARTLET_DEVICE_SECRET": secret]) { line in
        guard line == "cam-1 is connected" else { return true }
        connectedCount += 1
        if connectedCount == 1 { try await fixture.stack.restart("signaling-1") }
        return connectedCount < 2
      }
      #expect(status == .exited(0))
      #expect(lines.contains { $0.hasSuffix("; trying again") }, "\(lines)")
      let deadline = ContinuousClock.now + .seconds(30)
      while try await !fixture.stack.redis.cli("KEYS", "signal:{*}:device:cam-1").isEmpty {
        try #require(.now < deadline, "the broker was not told goodbye")
      }

      let refused = try await fixture.follow(arguments, environment: ["MARTLET_DEVICE_SECRET": "wrong"]) { _ in true }
      #expect(refused.status == .exited(1))
      #expect(refused.lines.last == "martletctl: The broker refused the camera: 1008 Invalid or expired token.")
      let credentials = try await fixture.martletctl("simulate", "camera", "cam-1", "--url", "ws://127.0.0.1:1/ws/device?token=x")
      #expect(credentials.status == .exited(64) && credentials.errors.contains("MARTLET_DEVICE_SECRET"))
    }
  }

  private struct Unexpected: Error {}
}
