import Access
import AuditTrail
import LocalStack
import Logging
import Models
import NIOPosix
import RedisClient
import Store
import Testing

@testable import Signaling

/// Parts of a replica on a Redis of the test's own, which they reach as the service does, and a camera that is connected to another replica.
struct BrokerScene: Sendable {
  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  let server: RedisServer
  let watchroom: Watchroom
  let device: ApplianceID
  /// The camera's.
  let seat: WatchSession.Seat
  private let gate: AccessGate
  private let token: String

  static func run(_ body: @escaping @Sendable (BrokerScene) async throws -> Void) async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let server = try stack.redis
      let redis = RedisClient(
        configuration: try RedisConfiguration(url: server.url(.signaling), password: server.password(.signaling)),
        eventLoopGroup: MultiThreadedEventLoopGroup.singleton, logger: logger)
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await redis.run() }
        try await body(BrokerScene(server, redis))
        group.cancelAll()
      }
    }
  }

  private init(_ server: RedisServer, _ redis: RedisClient) async throws {
    self.server = server
    let servers = ICEServers(stunURLs: [], turnURLs: [], readSecret: { "" }, credentialLife: .seconds(60))
    watchroom = Watchroom(
      switchboard: Switchboard(redis: redis, limits: Switchboard.Limits()), limits: WatchSession.Limits(), servers: servers,
      clock: ServerClock(), metrics: SignalingMetrics(), logger: Self.logger)
    device = try ApplianceID("cam-1")
    guard case .attached(let generation, sessions: []) = try await watchroom.switchboard.attach(device, replica: "cameras", connection: 1)
    else { throw Unexpected(what: "the camera is not attached") }
    seat = WatchSession.Seat(replica: "cameras", connection: 1, generation: generation)
    let secret = try #require(TokenSecret("a secret of more than thirty-two bytes"))
    gate = AccessGate(verifier: await TokenVerifier(secret: secret), directory: Everybody())
    token = try await TokenIssuer(secret: secret).issue(userID: "ann", now: .now(), lifetime: .seconds(600))
  }

  var switchboard: Switchboard { watchroom.switchboard }

  /// A connection of Ann's that has said hello.
  func viewer(_ place: Place, _ number: UInt64) async throws -> ViewerDesk {
    let audit = AuditVoice(nil, endpoint: "", address: "")
    let desk = ViewerDesk(
      watchroom, gate: gate, place: place, number: number, token: token, limits: ViewerDesk.Limits(), audit: audit)
    try await desk.hears("hello", "{}")
    return desk
  }

  /// A session of Ann's that the camera has answered.
  func watch(_ viewer: ViewerDesk) async throws -> WatchID {
    let ready = try await viewer.hears("watch_request", #"{"device_id":"\#(device)"}"#).last
    guard case .send(let text) = ready, let name = try JSONObject(parsing: text).object("payload")?.string("session_id"),
      let id = WatchID(name)
    else { throw Unexpected(what: "\(String(describing: ready))") }
    try await viewer.hears("signal_offer", #"{"session_id":"\#(id)","sdp":{"type":"offer"}}"#)
    try await say(.answer(Array("{}".utf8)), in: id)
    return id
  }

  /// The camera says something.
  func say(_ signal: WatchSession.Signal, in watch: WatchID) async throws {
    guard try await watchroom.apply(.signal(.device, seat, signal), to: watch) == .done else { throw Unexpected(what: "not taken") }
  }

  func candidate(_ number: Int, in watch: WatchID) async throws { try await say(.candidate(Array("{\"n\":\(number)}".utf8)), in: watch) }
}

struct Unexpected: Error { let what: String }

/// Everybody is there and may watch everything.
private struct Everybody: AccessDirectory {
  func account(of userID: String) async throws -> Account? { Account(role: .viewer) }
  func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? { .watch }
  func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws -> [PermittedAppliance] { [] }
  func isRevoked(tokenID: String) async throws -> Bool { false }
}

extension Desk {
  @discardableResult
  func hears(_ type: String, _ payload: String) async throws -> [DeskReply] {
    try await received(SignalingRequest(parsing: Array(#"{"type":"\#(type)","ts":"","payload":\#(payload)}"#.utf8)))
  }
}

extension [DeskReply] {
  /// What of this the client is told: types of messages, numbers of candidates.
  var told: [String] {
    compactMap { reply in
      guard case .send(let text) = reply, let message = try? JSONObject(parsing: text) else { return nil }
      let number = message.object("payload")?.object("candidate")?.raw("n")
      return number.map { String(decoding: $0, as: UTF8.self) } ?? message.string("type")
    }
  }
}
