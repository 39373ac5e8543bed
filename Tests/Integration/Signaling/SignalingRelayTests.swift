import Foundation
import Testing

/// What coturn gives, and to whom, with the deployment's settings as they are.
@Suite(.serialized, .timeLimit(.minutes(2)), .enabled(if: Coturn.isInstalled, "make videotools has not fetched coturn"))
struct SignalingRelayTests {
  private static let refused = (unauthorized: 401, forbidden: 403, quotaReached: 486)

  /// A user name as the broker makes them, good for so many seconds.
  private static func name(_ seconds: Int = 600, _ end: String = "device_550e8400") -> String {
    "\(Int(Date().timeIntervalSince1970) + seconds):\(end)"
  }

  @Test func `A relay reaches the internet, and none of the networks behind it`() async throws {
    let inside = [
      "0.0.0.1", "10.0.0.1", "10.255.255.254", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.254", "192.0.0.1",
      "192.168.0.1", "192.168.255.254", "198.18.0.1", "224.0.0.1", "239.255.255.255", "255.255.255.255", "::", "::1", "::a00:1",
      "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::a00:1", "64:ff9b:1::a00:1", "2001::1", "2002:a00:1::", "fc00::1",
      "fd00::1", "fe80::1", "fec0::1", "ff02::1",
    ]
    let outside = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.169.0.1", "2001:4860:4860::8888", "2606:4700:4700::1111"]
    try await Coturn.run(relaysToLoopback: false) { turn in
      let answers = try await turn.ask(username: Self.name(), peers: inside + outside)
      #expect(answers.relays == [0, 0])
      for peer in inside { #expect(answers.peers[peer] == Self.refused.forbidden, "\(peer)") }
      for peer in outside { #expect(answers.peers[peer] == 0, "\(peer)") }
    }
  }

  @Test func `One end of one session gets as many relays as the quota says, and leaves others theirs`() async throws {
    try await Coturn.run(relaysToLoopback: false) { turn in
      let answers = try await turn.ask(username: Self.name(), relayCount: 14)
      #expect(answers.relays == [Int](repeating: 0, count: 12) + [Int](repeating: Self.refused.quotaReached, count: 2))
      let other = try await turn.ask(username: Self.name(600, "viewer_alice_550e8400"))
      #expect(other.relays == [0])
    }
  }

  @Test func `A credential that has run out, or that another secret signed, gets none`() async throws {
    try await Coturn.run(relaysToLoopback: false) { turn in
      for (seconds, secret, code) in [(600, nil, 0), (-5, nil, Self.refused.unauthorized), (600, "another", Self.refused.unauthorized)] {
        let answers = try await turn.ask(username: Self.name(seconds), secret: secret)
        #expect(answers.relays == [code])
      }
    }
  }
}
