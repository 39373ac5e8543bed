import Foundation
import LocalStack
import Subprocess

/// Replicas of the broker on real servers, and the cameras and viewers of a test, which are a program that is none of ours (Python `websockets`).
struct SignalingScene: Sendable {
  static let settings = ["MARTLET_GRACE_SECONDS": "1.5", "MARTLET_OFFER_SECONDS": "4", "MARTLET_ANSWER_SECONDS": "3"]

  let stack: LocalStack
  let clients: SignalingClients
  private let tokens: [String: String]

  /// Alice owns `cam-1` and `cam-2`, which are taken at their word; Bob owns nothing.
  static func run(
    replicas: Int = 2, settings: [String: String] = settings, withAPI: Bool = false, withNginx: Bool = false, redisMasters: Int = 0,
    _ body: @escaping @Sendable (SignalingScene) async throws -> Void
  ) async throws {
    var configuration = LocalStackConfiguration(withNginx ? [.postgres, .redis, .mosquitto, .nginx] : [.postgres, .redis, .mosquitto])
    configuration.redisMasters = redisMasters
    configuration.services = MartletService.Plan.replicas(replicas, of: "signaling", environment: settings)
    if withAPI { configuration.services.append(MartletService.Plan("api")) }
    try await LocalStack.run(configuration) { stack in
      let accounts = "\(stack.folder.path)/accounts.yaml"
      let cameras = (1...2).map { "  - {id: cam-\($0), dialect: signaling, owner: alice, accepts_unproven: true}\n" }.joined()
      try "users:\n  - id: alice\n  - id: bob\nappliances:\n\(cameras)".write(toFile: accounts, atomically: true, encoding: .utf8)
      try await stack.martletctl("apply", accounts)
      let tokens = ["alice": try await stack.martletctl("token", "alice"), "bob": try await stack.martletctl("token", "bob")]
      try await SignalingClients.run { clients in
        try await body(SignalingScene(stack: stack, clients: clients, tokens: tokens))
      }
    }
  }

  /// The address of an endpoint, `device` or `viewer`, on one replica.
  func url(_ endpoint: String, on replica: Int) throws -> String {
    let service = try stack.service("signaling-\(replica)")
    return "ws://\(service.host):\(service.port)/ws/\(endpoint)"
  }

  func token(_ user: String) -> String { tokens[user] ?? "" }

  /// A token that soon runs out.
  func token(_ user: String, lifetime: String) async throws -> String {
    try await stack.martletctl("token", user, "--lifetime", lifetime)
  }

  func token(device: String, lifetime: String = "10m") async throws -> String {
    try await stack.martletctl("token", "--device", device, "--lifetime", lifetime)
  }

  /// A camera that said hello and was let in.
  ///
  /// - Parameter credential: its secret or its token; nil for one that is taken at its word.
  func camera(
    _ name: String, _ device: String = "cam-1", credential: String? = nil, on replica: Int, features: String = "[]"
  ) async throws -> SignalingClient {
    let camera = try await clients.open(name, url("device", on: replica))
    let token = credential.map { #","token":"\#($0)""# } ?? ""
    try await camera.send("hello", #"{"device_id":"\#(device)"\#(token),"features":\#(features)}"#)
    _ = try await camera.message("hello_ack")
    return camera
  }

  /// A viewer that said hello and was let in.
  func viewer(
    _ name: String, _ user: String = "alice", token: String? = nil, on replica: Int, features: String = "[]"
  ) async throws -> SignalingClient {
    let viewer = try await clients.open(name, url("viewer", on: replica))
    try await viewer.send("hello", #"{"token":"\#(token ?? self.token(user))","features":\#(features)}"#)
    _ = try await viewer.message("hello_ack")
    return viewer
  }

  /// A session from its request to its answer, and its id.
  func watch(_ viewer: SignalingClient, _ camera: SignalingClient, _ device: String = "cam-1") async throws -> String {
    let session = try await request(viewer, device)
    _ = try await camera.message("watch_request", of: session)
    try await viewer.send("signal_offer", #"{"session_id":"\#(session)","sdp":{"type":"offer","sdp":"v=0"}}"#)
    _ = try await camera.message("signal_offer", of: session)
    try await camera.send("signal_answer", #"{"session_id":"\#(session)","sdp":{"type":"answer","sdp":"v=0"}}"#)
    _ = try await viewer.message("signal_answer", of: session)
    return session
  }

  /// The payload of a candidate with a number in it.
  static func candidate(_ session: String, _ number: Int) -> String {
    #"{"session_id":"\#(session)","candidate":{"candidate":"candidate:\#(number)","n":\#(number)}}"#
  }

  func request(_ viewer: SignalingClient, _ device: String = "cam-1") async throws -> String {
    let number = await viewer.messages().count { $0["type"]?.string == "watch_ready" }
    try await viewer.send("watch_request", #"{"device_id":"\#(device)"}"#)
    return try await viewer.find("watch_ready") { messages in
      let ready = messages.filter { $0["type"]?.string == "watch_ready" }
      return ready.count > number ? ready.last?["payload"]?["session_id"]?.string : nil
    }
  }

  /// Runs `martletctl` at the API as a user; what it printed, whatever its exit status.
  func martletctl(as user: String, _ arguments: String...) async throws -> String {
    let api = try stack.service("api-1")
    let program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appending(path: "martletctl").path
    let result = try await Subprocess.run(
      .name("env"), arguments: Arguments([program] + arguments),
      environment: .inherit.updating(["MARTLET_API_URL": "http://\(api.host):\(api.port)/api", "MARTLET_API_TOKEN": token(user)]),
      input: .none, output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
    return result.standardOutput + result.standardError
  }

  /// Waits until the session's row says how it ended.
  func waitForEnd(_ session: String, _ reason: String) async throws {
    try await waitForRow(reason, "SELECT reason FROM watch_sessions WHERE id = '\(session)' AND ended_at >= started_at")
  }

  func waitForRow(_ expected: String, limit: Duration = .seconds(30), _ sql: String) async throws {
    try await poll("\(sql): \(expected)", limit: limit) { try await stack.postgres.query(sql) == expected }
  }

  /// Waits until Redis holds nothing of any session, and no open row is left.
  func waitUntilNothingIsLeft() async throws {
    for pattern in ["watch:*", "watches:*", "letters:*", "deadlines", "mail:*"] {
      try await poll("no signal:*:\(pattern)", limit: .seconds(40)) {
        try await keys("signal:{*}:\(pattern)").isEmpty
      }
    }
    try await waitForRow("0", "SELECT count(*) FROM watch_sessions WHERE ended_at IS NULL")
  }

  /// On every server that there is.
  private func keys(_ pattern: String) async throws -> String {
    guard stack.configuration.redisMasters > 0 else { return try await stack.redis.cli("KEYS", pattern) }
    var keys = ""
    for node in try stack.redisCluster.nodes { keys += try await node.cli("KEYS", pattern) }
    return keys
  }

  /// Waits until what was sent to an end is known to have reached it: `mail:<device>`, `letters:<session>`.
  func waitForReceipt(_ list: String) async throws {
    try await poll("no \(list)", limit: .seconds(20)) { try await keys("signal:{*}:\(list)").isEmpty }
  }

  func poll(_ purpose: String, limit: Duration, _ isSo: @Sendable () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while try await !isSo() {
      guard ContinuousClock.now < deadline else { throw Mailbox.Expired(description: "not within \(limit): \(purpose)") }
      try await Task.sleep(for: .milliseconds(100))
    }
  }
}

/// The clients of one test, in one process.
struct SignalingClients: Sendable {
  private let mailbox = Mailbox()
  private let orders: AsyncStream<String>.Continuation

  static func run(_ body: @escaping @Sendable (SignalingClients) async throws -> Void) async throws {
    // A test gives a handful of orders.
    let (stream, orders) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(100_000))
    let clients = SignalingClients(orders: orders)
    enum Ended { case clients, body }
    try await withThrowingTaskGroup(of: Ended.self) { group in
      group.addTask {
        _ = try await Subprocess.run(
          .name("env"), arguments: Arguments(["/usr/bin/python3", try Clients.path("signaling_clients.py")]), input: .inputWriter,
          output: .sequence,
          error: .currentStandardError
        ) { execution in
          let input = execution.standardInputWriter
          try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
              for await order in stream { _ = try await input.write(order + "\n") }
            }
            for try await line in execution.standardOutput.strings() { await clients.mailbox.append(try JSON(line)) }
            group.cancelAll()
          }
        }
        return .clients
      }
      group.addTask {
        try await body(clients)
        return .body
      }
      while let ended = try await group.next() {
        if ended == .body { group.cancelAll() }
      }
    }
  }

  init(orders: AsyncStream<String>.Continuation) { self.orders = orders }

  func order(_ text: String) { orders.yield(text) }

  func open(_ name: String, _ url: String, token: String? = nil) async throws -> SignalingClient {
    order(#"{"open":"\#(name)","url":"\#(url)"\#(token.map { #","token":"\#($0)""# } ?? "")}"#)
    _ = try await wait(for: "\(name) to open") { lines in lines.contains { $0["from"]?.string == name && $0["opened"] != nil } ? true : nil
    }
    return SignalingClient(name: name, clients: self)
  }

  func wait<Found: Sendable>(for purpose: String, _ find: @escaping @Sendable ([JSON]) -> Found?) async throws -> Found {
    try await mailbox.wait(for: purpose, limit: .seconds(40), find)
  }

  func lines(of name: String) async -> [JSON] { await mailbox.messages.filter { $0["from"]?.string == name } }
}

struct SignalingClient: Sendable {
  let name: String
  let clients: SignalingClients

  /// Sends one message of the document's form.
  func send(_ type: String, _ payload: String, requestID: String? = nil) async throws {
    let id = requestID.map { #""request_id":"\#($0)","# } ?? ""
    try await send(raw: #"{"type":"\#(type)",\#(id)"ts":"2025-01-01T12:34:56.789Z","payload":\#(payload)}"#)
  }

  func send(raw text: String) async throws { try order(["send": name, "text": text]) }
  func flood(_ text: String, count: Int) throws { try order(["flood": name, "text": text, "count": count]) }
  func close() throws { try order(["close": name]) }
  /// Loses its connection without a word.
  func cut() throws { try order(["cut": name]) }

  private func order(_ members: [String: any Sendable]) throws {
    clients.order(String(decoding: try JSONSerialization.data(withJSONObject: members), as: UTF8.self))
  }

  func messages() async -> [JSON] { await clients.lines(of: name).compactMap { $0["message"] } }

  func find<Found: Sendable>(_ purpose: String, _ find: @escaping @Sendable ([JSON]) -> Found?) async throws -> Found {
    try await clients.wait(for: "\(purpose) for \(name)") { [name] lines in
      find(lines.filter { $0["from"]?.string == name }.compactMap { $0["message"] })
    }
  }

  /// Waits for a message of this type, of this session where one is named.
  func message(_ type: String, of session: String? = nil, where matches: @escaping @Sendable (JSON) -> Bool = { _ in true }) async throws
    -> JSON
  {
    try await find(type) { messages in
      messages.first { message in
        message["type"]?.string == type && (session == nil || message["payload"]?["session_id"]?.string == session) && matches(message)
      }
    }
  }

  /// Waits until the session's end is told, and returns the reason.
  func end(of session: String) async throws -> String? {
    try await message("watch_ended", of: session)["payload"]?["reason"]?.string
  }

  /// What came of a session so far: the types of its messages, and the numbers of candidates.
  func order(of session: String) async -> [String] {
    await messages().filter { $0["payload"]?["session_id"]?.string == session }.compactMap { message in
      guard let type = message["type"]?.string, type != "watch_ready" else { return nil }
      guard let candidate = message["payload"]?["candidate"] else { return type }
      return candidate["n"]?.int.map(String.init) ?? "null"
    }
  }

  func candidate(_ number: Int, of session: String) async throws {
    _ = try await message("signal_ice", of: session) { $0["payload"]?["candidate"]?["n"]?.int == number }
  }

  /// Waits for the answer to a request that is refused.
  func error(_ requestID: String) async throws -> String? {
    try await message("error") { $0["request_id"]?.string == requestID }["payload"]?["message"]?.string
  }

  /// Waits for the end of the connection: its code, a space, its reason.
  func closing() async throws -> String {
    try await clients.wait(for: "the end of \(name)") { [name] lines in
      lines.first { $0["from"]?.string == name && $0["closed"] != nil }.map { "\($0["closed"]?.int ?? 0) \($0["reason"]?.string ?? "")" }
    }
  }
}
