import Models
import Testing

@testable import ServiceRuntime
@testable import Signaling

@Suite("Configuration of signaling")
struct ConfigurationTests {
  private static let secret = "a secret of more than thirty-two bytes"

  private static func read(_ environment: [String: String] = [:]) throws -> SignalingConfiguration {
    let required = ["MARTLET_JWT_SECRET": secret]
    return try SignalingConfiguration(
      reading: ConfigurationValues(ConfigurationSources(environment: required.merging(environment) { $1 })))
  }

  @Test func `Only the way to check tokens has no default`() throws {
    let configuration = try Self.read()
    #expect(configuration.viewersMax == 10)
    #expect(configuration.watch == WatchSession.Limits())
    #expect(configuration.servers.renewalPeriod == nil)
    #expect(throws: ConfigurationError.self) { try Self.read(["MARTLET_JWT_SECRET": ""]) }
  }

  @Test func `What is set is what counts`() throws {
    let configuration = try Self.read([
      "MARTLET_STUN_URLS": "stun:a:3478, stuns:b", "MARTLET_TURN_URLS": "turn:c?transport=udp,turns:d", "MARTLET_TURN_SECRET": "north",
      "MARTLET_TURN_SECONDS": "600", "MARTLET_VIEWERS_PER_DEVICE": "3", "MARTLET_OFFER_SECONDS": "1", "MARTLET_ANSWER_SECONDS": "2",
      "MARTLET_CANDIDATE_SECONDS": "3", "MARTLET_WATCH_SECONDS": "40", "MARTLET_GRACE_SECONDS": "0",
    ])
    #expect(configuration.servers.stunURLs == ["stun:a:3478", "stuns:b"])
    #expect(configuration.servers.turnURLs == ["turn:c?transport=udp", "turns:d"])
    #expect(configuration.viewersMax == 3)
    let watch = configuration.watch
    #expect([watch.offerTimeout, watch.answerTimeout, watch.candidateTimeout] == [.seconds(1), .seconds(2), .seconds(3)])
    #expect(watch.sessionTimeout == .seconds(40) && watch.grace == .zero && watch.renewalPeriod == .seconds(450))
  }

  @Test(arguments: [
    ("MARTLET_STUN_URLS", "http://stun"), ("MARTLET_STUN_URLS", "turn:a"), ("MARTLET_STUN_URLS", "stun:"), ("MARTLET_TURN_URLS", "stun:a"),
    ("MARTLET_TURN_SECONDS", "9"), ("MARTLET_VIEWERS_PER_DEVICE", "0"), ("MARTLET_OFFER_SECONDS", "0"),
    ("MARTLET_ANSWER_SECONDS", "601"), ("MARTLET_CANDIDATE_SECONDS", "soon"), ("MARTLET_WATCH_SECONDS", "9"),
    ("MARTLET_GRACE_SECONDS", "9"), ("MARTLET_TRUSTED_PROXIES", "nginx"), ("MARTLET_REDIS_URL", "http://redis"),
    ("MARTLET_POSTGRES_URL", "mysql://db"), ("MARTLET_CONNECTIONS_MAX", "0"), ("MARTLET_LOOPS", "257"),
  ])
  func `A value that cannot work is refused by the variable's name`(name: String, value: String) {
    let error = #expect(throws: ConfigurationError.self) { try Self.read([name: value, "MARTLET_TURN_SECRET": "north"]) }
    #expect(error?.description.contains(name) == true)
  }

  @Test func `TURN servers want their secret, and no description tells it`() throws {
    let error = #expect(throws: ConfigurationError.self) { try Self.read(["MARTLET_TURN_URLS": "turn:a"]) }
    #expect(error?.description.contains("MARTLET_TURN_SECRET") == true)
    let servers = try Self.read(["MARTLET_TURN_URLS": "turn:a", "MARTLET_TURN_SECRET": "hunter2"]).servers
    #expect(!"\(servers)".contains("hunter2"))
  }

  /// The passwords are those of `openssl dgst -sha1 -hmac north`.
  @Test func `Each end of a session has credentials of its own, as coturn takes them`() throws {
    let servers = try Self.read([
      "MARTLET_STUN_URLS": "stun:a", "MARTLET_TURN_URLS": "turn:b", "MARTLET_TURN_SECRET": "north", "MARTLET_TURN_SECONDS": "600",
    ]).servers
    let watch = try #require(WatchID("550e8400-e29b-41d4-a716-446655440000"))
    let now = Timestamp(microseconds: (1_735_740_000 - 600) * 1_000_000)
    for (side, name, password) in [
      (WatchSession.Side.device, "device_550e8400", "WD8CnNKjXOMNJjGcJwU7gD+Pu1Q="),
      (.viewer, "viewer_a-lic-_550e8400", "25z+HHfJFVKR4Cebmm3j5U5UAkA="),
    ] {
      let list = servers.list(for: side, of: watch, userID: "a:licé", now: now)
      #expect(
        list == [
          ICEServer(urls: ["stun:a"]), ICEServer(urls: ["turn:b"], credential: .init(username: "1735740000:\(name)", password: password)),
        ])
      #expect(!"\(list)".contains(password))
    }
  }
}
